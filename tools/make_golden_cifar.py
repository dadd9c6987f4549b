#!/usr/bin/env python3
"""What PyTorch makes of one picture with the published weights of CIFAR-10's ResNet-20, for
tests/pretrained/pretrained_test.cpp. The network is written here a second time, from He et al. 2015, section 4.2.

usage: make_golden_cifar.py ../shared/data/weights/pth/cifar10_resnet20-12fca82f.pth
"""
import json
import sys
from pathlib import Path

import torch
from torch.nn import functional as f


def forward(weights, x):
    def norm(name, x):
        return f.batch_norm(x, weights[name + ".running_mean"], weights[name + ".running_var"], weights[name + ".weight"],
                            weights[name + ".bias"], eps=1e-5)

    x = f.relu(norm("bn1", f.conv2d(x, weights["conv1.weight"], padding=1)))
    for stage in (1, 2, 3):
        for block in (0, 1, 2):
            name = f"layer{stage}.{block}."
            stride = 2 if stage > 1 and block == 0 else 1
            y = f.relu(norm(name + "bn1", f.conv2d(x, weights[name + "conv1.weight"], stride=stride, padding=1)))
            y = norm(name + "bn2", f.conv2d(y, weights[name + "conv2.weight"], padding=1))
            if stride == 2:
                quarter = y.shape[1] // 4
                x = f.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, quarter, quarter))
            x = f.relu(x + y)
    return f.linear(x.mean((2, 3)), weights["linear.weight"], weights["linear.bias"])


def main():
    stored = torch.load(sys.argv[1], map_location="cpu", weights_only=True)["state_dict"]
    weights = {name.removeprefix("module."): value.double() for name, value in stored.items()}
    picture = torch.sin(torch.arange(3 * 32 * 32, dtype=torch.float64) / 7).reshape(1, 3, 32, 32)
    logits = [round(value, 7) for value in forward(weights, picture.float().double())[0].tolist()]
    out = Path(__file__).resolve().parent.parent / "tests/pretrained/cifar_resnet20.json"
    out.write_text(json.dumps({"made_by": f"tools/make_golden_cifar.py with PyTorch {torch.__version__}",
                               "logits": logits}) + "\n")


main()
