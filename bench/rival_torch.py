#!/usr/bin/env python3
"""The PyTorch side of bench_step: one step of training or one answer of a network, by the same protocol.

usage: rival_torch.py NET (train|infer) BATCH [--variant eager[_bf16]] [--size 224] [--threads 2] [--runs 7] [--serve]

Variants: eager (PyTorch as it comes), channels_last, compile (torch.compile, for answers with frozen
weights), compile_channels_last. --serve answers each line "go" with one step and a line {"seconds": ...}.
With _bf16 behind it a variant runs under torch.autocast in bfloat16. The networks are torchvision's.
"""
import argparse
import json
import statistics
import sys
import time

import torch
from torch import nn
from torchvision_alone import torchvision

VARIANTS = ("eager", "channels_last", "compile", "compile_channels_last")


def make_step(options):
    """The function that does one step; everything that it needs is made here."""
    torch.manual_seed(1)
    net = torchvision.models.get_model(options.net, weights=None)
    images = torch.randn(options.batch, 3, options.size, options.size)
    variant, half = options.variant.removesuffix("_bf16"), options.variant.endswith("_bf16")

    def precision():
        return torch.autocast("cpu", torch.bfloat16, enabled=half)

    if variant.endswith("channels_last"):
        net = net.to(memory_format=torch.channels_last)
        images = images.to(memory_format=torch.channels_last)
    compiled = variant.startswith("compile")

    if options.task == "train":
        labels = torch.randint(0, 1000, (options.batch,))
        net.train()
        optimizer = torch.optim.SGD(net.parameters(), lr=0.01, momentum=0.9)
        criterion = nn.CrossEntropyLoss()
        model = torch.compile(net) if compiled else net

        def step():
            optimizer.zero_grad(set_to_none=True)
            with precision():
                loss = criterion(model(images), labels)
            loss.backward()
            optimizer.step()
            return loss.item()

        return step

    net.eval()
    if not compiled:

        def step():
            with torch.inference_mode(), precision():
                return net(images)[0, 0].item()

        return step

    from torch._inductor import config

    config.freezing = True  # constants folded into the code; it wants no_grad
    model = torch.compile(net)

    def step():
        with torch.no_grad(), precision():
            return model(images)[0, 0].item()

    return step


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("net", help="a classifier of torchvision, by its name there")
    parser.add_argument("task", choices=("train", "infer"))
    parser.add_argument("batch", type=int)
    parser.add_argument("--variant", choices=[*VARIANTS, *(each + "_bf16" for each in VARIANTS)], default="eager")
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
