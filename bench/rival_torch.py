#!/usr/bin/env python3
"""The PyTorch side of bench_step: one step of training or one answer of a network, by the same protocol.

usage: rival_torch.py NET (train|infer) BATCH [--variant eager] [--size 224] [--threads 2] [--runs 7] [--serve]

Variants: eager (PyTorch as it comes), channels_last, compile (torch.compile, for answers with frozen
weights), compile_channels_last. --serve answers each line "go" with one step and a line {"seconds": ...}.
The networks are torchvision's, written out here so that PyTorch is all it takes.
"""
import argparse
import json
import statistics
import sys
import time

import torch
from torch import nn


class Basic(nn.Module):
    """Two 3x3 convolutions around a shortcut."""
    expansion = 1

    def __init__(self, inputs, planes, stride, shortcut):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, planes, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(planes)
        self.conv2 = nn.Conv2d(planes, planes, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(planes)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = shortcut

    def forward(self, x):
        identity = x if self.downsample is None else self.downsample(x)
        y = self.relu(self.bn1(self.conv1(x)))
        y = self.bn2(self.conv2(y))
        y += identity
        return self.relu(y)


class Bottleneck(nn.Module):
    """1x1, 3x3 (which has the stride) and 1x1 convolution around a shortcut."""
    expansion = 4

    def __init__(self, inputs, planes, stride, shortcut):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, planes, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(planes)
        self.conv2 = nn.Conv2d(planes, planes, 3, stride, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(planes)
        self.conv3 = nn.Conv2d(planes, 4 * planes, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(4 * planes)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = shortcut

    def forward(self, x):
        identity = x if self.downsample is None else self.downsample(x)
        y = self.relu(self.bn1(self.conv1(x)))
        y = self.relu(self.bn2(self.conv2(y)))
        y = self.bn3(self.conv3(y))
        y += identity
        return self.relu(y)


class ResNet(nn.Module):
    def __init__(self, block, depths, classes=1000):
        super().__init__()
        self.inputs = 64
        self.conv1 = nn.Conv2d(3, 64, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, 2, 1)
        self.layer1 = self.stage(block, 64, depths[0], 1)
        self.layer2 = self.stage(block, 128, depths[1], 2)
        self.layer3 = self.stage(block, 256, depths[2], 2)
        self.layer4 = self.stage(block, 512, depths[3], 2)
        self.avgpool = nn.AdaptiveAvgPool2d((1, 1))
        self.fc = nn.Linear(512 * block.expansion, classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def stage(self, block, planes, depth, stride):
        shortcut = None
        outputs = planes * block.expansion
        if stride != 1 or self.inputs != outputs:
            shortcut = nn.Sequential(nn.Conv2d(self.inputs, outputs, 1, stride, bias=False),
                                     nn.BatchNorm2d(outputs))
        blocks = [block(self.inputs, planes, stride, shortcut)]
        self.inputs = outputs
        blocks += [block(outputs, planes, 1, None) for _ in range(depth - 1)]
        return nn.Sequential(*blocks)

    def forward(self, x):
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return self.fc(torch.flatten(self.avgpool(x), 1))


NETS = {
    "resnet18": lambda: ResNet(Basic, (2, 2, 2, 2)),
    "resnet34": lambda: ResNet(Basic, (3, 4, 6, 3)),
    "resnet50": lambda: ResNet(Bottleneck, (3, 4, 6, 3)),
}
VARIANTS = ("eager", "channels_last", "compile", "compile_channels_last")


def make_step(options):
    """The function that does one step; everything that it needs is made here."""
    torch.manual_seed(1)
    net = NETS[options.net]()
    images = torch.randn(options.batch, 3, options.size, options.size)
    if options.variant.endswith("channels_last"):
        net = net.to(memory_format=torch.channels_last)
        images = images.to(memory_format=torch.channels_last)
    compiled = options.variant.startswith("compile")

    if options.task == "train":
        labels = torch.randint(0, 1000, (options.batch,))
        net.train()
        optimizer = torch.optim.SGD(net.parameters(), lr=0.01, momentum=0.9)
        criterion = nn.CrossEntropyLoss()
        model = torch.compile(net) if compiled else net

        def step():
            optimizer.zero_grad(set_to_none=True)
            loss = criterion(model(images), labels)
            loss.backward()
            optimizer.step()
            return loss.item()

        return step

    net.eval()
    if not compiled:

        def step():
            with torch.inference_mode():
                return net(images)[0, 0].item()

        return step

    from torch._inductor import config

    config.freezing = True  # constants folded into the code; it wants no_grad
    model = torch.compile(net)

    def step():
        with torch.no_grad():
            return model(images)[0, 0].item()

    return step


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("net", choices=NETS)
    parser.add_argument("task", choices=("train", "infer"))
    parser.add_argument("batch", type=int)
    parser.add_argument("--variant", choices=VARIANTS, default="eager")
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--serve", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    step = make_step(options)

    def seconds():
        start = time.perf_counter()
        step()
        return time.perf_counter() - start

    if options.serve:
        print(json.dumps({"ready": True, "program": f"torch {torch.__version__} {options.variant}"}), flush=True)
        for line in sys.stdin:
            if line.strip() != "go":
                sys.exit(f"{line!r}: the only command is go")
            print(json.dumps({"seconds": seconds()}), flush=True)
        return
    seconds(), seconds()
    median = statistics.median(seconds() for _ in range(options.runs))
    print(f"{options.net} {options.task} batch {options.batch}, torch {torch.__version__} {options.variant}: "
          f"{median:.4f} s, median of {options.runs}, {options.batch / median:.2f} images/s")


if __name__ == "__main__":
    main()
