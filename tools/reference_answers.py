#!/usr/bin/env python3
"""The answers in enxerto/kernels/reference/reference_test.cpp that were taken from PyTorch.

Prints each as a C++ initialiser. Needs torch (2.13 made the committed ones), in double.
"""
import torch
import torch.nn.functional as F

torch.set_default_dtype(torch.float64)


def show(name, value):
    print(f"{name} {tuple(value.shape)}: {{{', '.join(f'{x:.12g}' for x in value.flatten().tolist())}}}")


def ramp(*shape):
    """0.1, -0.2, 0.3, ... in the order n, c, h, w."""
    size = torch.Size(shape).numel()
    i = torch.arange(1, size + 1)
    return (i * 0.1 * torch.where(i % 2 == 0, -1, 1)).reshape(shape)


x = ramp(1, 4, 5, 4)
w = ramp(6, 2, 3, 2)
show("conv stride (2,1) pad (1,0) dilation (1,2) groups 2",
     F.conv2d(x, w, ramp(6), stride=(2, 1), padding=(1, 0), dilation=(1, 2), groups=2))

p = ramp(1, 1, 5, 6)
show("avg pool 3 stride 2 pad 1 ceil include", F.avg_pool2d(p, 3, 2, 1, ceil_mode=True))
show("avg pool 3 stride 2 pad 1 ceil exclude",
     F.avg_pool2d(p, 3, 2, 1, ceil_mode=True, count_include_pad=False))
show("avg pool 2 stride 3 pad 1 ceil include", F.avg_pool2d(p, 2, 3, 1, ceil_mode=True))
show("max pool 3 stride 2 pad 1 dilation 2 ceil", F.max_pool2d(p, 3, 2, 1, dilation=2, ceil_mode=True))
show("max pool 3 stride 2 ceil", F.max_pool2d(p, 3, 2, 0, ceil_mode=True))
show("max pool 3 stride 2 ceil on 2x2", F.max_pool2d(ramp(1, 1, 2, 2), 3, 2, 0, ceil_mode=True))

b = ramp(2, 2, 1, 3)
mean, var = torch.tensor([0.5, -0.5]), torch.tensor([2.0, 1.0])
y = F.batch_norm(b, mean, var, torch.tensor([1.5, -2.0]), torch.tensor([0.1, 0.2]), True, 0.1, 1e-5)
show("batch norm, training", y)
show("... running mean", mean)
show("... running variance", var)

show("local response norm 3", F.local_response_norm(ramp(1, 5, 1, 1), 3, alpha=0.5, beta=0.75, k=2.0))
show("softmax", F.softmax(ramp(1, 4, 1, 2), dim=1))

a = torch.tensor([-7.0, -2.0, -0.5, 0.5, 2.0, 7.0])
for name in ("relu6", "sigmoid", "tanh", "hardsigmoid", "hardswish", "silu"):
    show(name, getattr(torch, name, getattr(F, name, None))(a))
show("leaky_relu 0.1", F.leaky_relu(a, 0.1))
