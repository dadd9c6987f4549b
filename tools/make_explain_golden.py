#!/usr/bin/env python3
"""Writes enxerto/explain/golden.json: what PyTorch says of a small network's Grad-CAM and of its answer's slope.

Usage: python tools/make_explain_golden.py > enxerto/explain/golden.json   (made with PyTorch 2.13)
"""
import json

import torch
from torch import nn

torch.manual_seed(9)


class Net(nn.Module):
    """A residual, batch norm with statistics of its own, pooling, dropout: what evaluation mode has to get right."""

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 6, 3, padding=1)
        self.bn1 = nn.BatchNorm2d(6)
        self.conv2 = nn.Conv2d(6, 8, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(8)
        self.skip = nn.Conv2d(6, 8, 1)
        self.fc = nn.Linear(8, 4)
        self.maps = {}

    def keep(self, name, value):
        value.retain_grad()
        self.maps[name] = value
        return value

    def forward(self, x):
        x = self.keep("conv1", self.conv1(x))
        x = self.keep("relu1", torch.relu(self.bn1(x)))
        x = self.keep("pool1", torch.max_pool2d(x, 2))
        y = self.keep("bn2", self.bn2(self.conv2(x)))
        x = self.keep("relu2", torch.relu(y + self.skip(x)))
        return self.fc(nn.functional.dropout(x.mean((2, 3)), 0.5, self.training))


def numbers(tensor):
    return [float(f"{x:.7g}") for x in tensor.detach().flatten().tolist()]


net = Net().double().eval()
with torch.no_grad():
    for norm in (net.bn1, net.bn2):
        norm.weight.uniform_(0.5, 1.5)
        norm.bias.uniform_(-0.5, 0.5)
        norm.running_mean.uniform_(-0.5, 0.5)
        norm.running_var.uniform_(0.5, 1.5)
    # What the test reads, to seven digits.
    for value in net.state_dict().values():
        if value.is_floating_point():
            value.copy_(torch.tensor(numbers(value)).double().reshape(value.shape))
image = torch.tensor(numbers(torch.randn(1, 3, 10, 12))).double().reshape(1, 3, 10, 12).requires_grad_()
outputs = net(image)
cams, slopes = [], []
for output in range(4):
    net.zero_grad()
    image.grad = None
    for value in net.maps.values():
        value.grad = None
    net(image)[0, output].backward()
    slopes.append(numbers(image.grad))
    for layer, value in net.maps.items():
        alpha = value.grad.mean((2, 3), keepdim=True)
        cam = torch.relu((alpha * value).sum(1))
        cams.append({"layer": layer, "output": output, "height": cam.shape[1], "width": cam.shape[2], "values": numbers(cam)})
print(json.dumps({
    "PyTorch": torch.__version__.split("+")[0],
    "parameters": {name: numbers(value) for name, value in net.state_dict().items() if value.is_floating_point()},
    "image": numbers(image), "outputs": numbers(outputs), "cams": cams, "slopes": slopes}))
