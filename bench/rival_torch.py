#!/usr/bin/env python3
"""The PyTorch side of bench_step: one step of training or one answer of a network, by the same protocol.

usage: rival_torch.py NET (train|infer) BATCH [--variant eager[_bf16]] [--size 224] [--threads 2] [--runs 7] [--serve]

Variants: eager (PyTorch as it comes), channels_last, compile (torch.compile, for answers with frozen
weights), compile_channels_last. --serve answers each line "go" with one step and a line {"seconds": ...}.
With _bf16 behind it a variant runs under torch.autocast in bfloat16. The networks are torchvision's.
"""
import torch
from torch import nn

import rival
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
    parser = rival.arguments(__doc__.splitlines()[0], ("train", "infer"))
    parser.add_argument("--variant", choices=[*VARIANTS, *(each + "_bf16" for each in VARIANTS)], default="eager")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    rival.run(make_step(options), options, f"torch {torch.__version__} {options.variant}")


if __name__ == "__main__":
    main()
