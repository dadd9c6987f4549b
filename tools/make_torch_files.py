#!/usr/bin/env python3
"""Makes tests/files/torch/: small files by the real PyTorch, which torch_file_test.cpp reads.

usage: tools/make_torch_files.py [FOLDER]     (needs torch; PyTorch 2.13 made what is in the repository)

The numbers are those of the tests: change both together.
"""
import argparse
import sys
from collections import Counter, OrderedDict
from pathlib import Path

import numpy
import torch

folder = Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).parent.parent / "tests/files/torch")
folder.mkdir(parents=True, exist_ok=True)


def save(name, value, **more):
    """Both layouts of one object."""
    torch.save(value, folder / f"{name}.pt", **more)
    torch.save(value, folder / f"{name}_old.pt", _use_new_zipfile_serialization=False, **more)


ramp = torch.arange(24, dtype=torch.float32)
save("formats", OrderedDict(
    f32=torch.tensor([[0.1, -2.5], [float("inf"), 3e-40]]),
    f16=torch.tensor([1.0, -3.140625, 65504.0]).half(),
    bf16=torch.tensor([1.0, -5.0, 3.0e38]).bfloat16(),
    f64=torch.tensor([0.1, -1e300], dtype=torch.float64),
    i64=torch.tensor([-(1 << 40), 7]),
    i32=torch.tensor([-5, 6], dtype=torch.int32),
    i16=torch.tensor([-300], dtype=torch.int16),
    i8=torch.tensor([-100], dtype=torch.int8),
    u8=torch.tensor([200], dtype=torch.uint8),
    bool=torch.tensor([True, False, True]),
    empty=torch.zeros(0, 3),
    scalar=torch.tensor(4.5),
))
save("views", OrderedDict(
    transposed=ramp[:6].view(2, 3).t(),          # all of these share the ramp's storage
    slice=ramp.view(4, 6)[1:3, 2:5],
    steps=ramp[3::5],
    last=ramp[20:],
    channels_last=ramp.view(1, 2, 3, 4).contiguous(memory_format=torch.channels_last),
    expanded=torch.tensor([[1.0], [2.0]]).expand(2, 3),
))

model = torch.nn.Sequential(OrderedDict(conv=torch.nn.Conv2d(1, 2, 1), norm=torch.nn.BatchNorm2d(2)))
for index, parameter in enumerate(model.parameters()):
    with torch.no_grad():
        parameter.copy_(torch.arange(parameter.numel()).view_as(parameter) + 10.0 * index)
optimizer = torch.optim.Adam(model.parameters())
for parameter in model.parameters():
    parameter.grad = torch.ones_like(parameter) * 0
optimizer.step()
save("checkpoint", {
    "epoch": 3,
    "arch": "tiny",
    "best": 0.75,
    "state_dict": model.state_dict(),            # carries _metadata
    "optimizer": optimizer.state_dict(),
    "parameter": torch.nn.Parameter(torch.tensor([1.5])),
    "list": [torch.tensor([1.0]), "text", (torch.tensor([2.0]), None)],
    "args": argparse.Namespace(lr=0.1, names=["a"]),
    "milestones": Counter([30, 60]),
    "accuracy": numpy.float64(0.5),
    "table": numpy.zeros(2),
    "device": torch.device("cpu"),
    "dtype": torch.float16,
    "size": torch.Size([2, 3]),
    "big": 1 << 80,
    "flags": {True, False},
})
for protocol in (1, 3, 4, 5):
    save(f"protocol{protocol}", {"w": ramp[:3].clone(), "n": 1 << 40, "on": True, "set": {1.5},
                                 "bytes": b"abc"}, pickle_protocol=protocol)
torch.save({"w": torch.tensor([7, 60000], dtype=torch.uint16)}, folder / "untyped.pt")
torch.save(torch.tensor([1.0, 2.0]), folder / "bare.pt")
torch.save({"a": torch.eye(2).to_sparse()}, folder / "sparse.pt")
torch.save({"a": torch.quantize_per_tensor(torch.ones(2), 0.5, 0, torch.qint8)}, folder / "quantised.pt")
torch.save({"a": torch.ones(2, dtype=torch.complex64)}, folder / "complex.pt")
torch.save({"a": torch.ones(1).expand(1 << 30)},
           folder / "expanded.pt")
torch.save({"epoch": 3}, folder / "nothing.pt")
torch.save(torch.nn.ReLU(), folder / "module.pt")
torch.save({"a.b": torch.ones(1), "a": {"b": torch.ones(1)}}, folder / "twice.pt")
