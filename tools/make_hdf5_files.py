#!/usr/bin/env python3
"""Makes tests/files/hdf5: number formats, and what a reader has to refuse. Needs h5py and NumPy.

usage: python tools/make_hdf5_files.py
"""
from pathlib import Path

import h5py
import numpy as np

OUT = Path(__file__).resolve().parent.parent / "tests/files/hdf5"
VALUES = np.arange(6).reshape(2, 3)


def make(name):
    return h5py.File(OUT / name, "w")


def main():
    OUT.mkdir(parents=True, exist_ok=True)
    with make("numbers.h5") as f:
        for name, dtype in {"f16": "f2", "f32": "f4", "f64": "f8", "i8": "i1", "u8": "u1", "i16": "i2", "i32": "i4",
                            "i64": "i8", "u64": "u8", "big": ">f4"}.items():
            f[name] = VALUES.astype(dtype)
        f["chunked"] = VALUES
        del f["chunked"]
        f.create_dataset("chunked", data=VALUES.astype("f4"), chunks=(2, 2), compression="gzip", shuffle=True)
        brain = (VALUES.astype("f4").view("u4") >> 16).astype("u2").view("V2")  # as Keras writes bfloat16
        f["brain"] = brain
        f["brain"].attrs["dtype"] = "bfloat16"
        f["scalar"] = np.float32(7)
        f["empty"] = np.zeros((0, 3), "f4")
        group = f.create_group("group")
        group["again"] = f["/"]  # a circle
    with make("external_link.h5") as f:
        f["there"] = h5py.ExternalLink("/etc/passwd", "/")
    with make("soft_link.h5") as f:
        f["there"] = h5py.SoftLink("/nowhere")
    with make("external_data.h5") as f:
        f.create_dataset("there", (2,), "f4", external=[("/etc/passwd", 0, 8)])
    with make("virtual.h5") as f:
        layout = h5py.VirtualLayout((2,), "f4")
        layout[:] = h5py.VirtualSource("/etc/passwd", "x", (2,))
        f.create_virtual_dataset("there", layout)
    with make("texts.h5") as f:
        f["words"] = ["these", "are", "texts"]
    with make("never_written.h5") as f:
        f.create_dataset("x", (1 << 20, 1 << 18), "f4", chunks=(1 << 10, 1 << 10), compression="gzip")
    with make("huge_chunks.h5") as f:
        f.create_dataset("x", (1 << 40,), "u1", chunks=(1 << 20,))
    with make("layer_twice.h5") as f:  # short, and it would cost 50 million names
        names = np.full(5000, b"a", "S2")
        f.attrs["layer_names0"] = f.attrs["layer_names1"] = names
        f.create_group("a").attrs["weight_names0"] = names
    with make("deep.h5") as f:
        group = f
        for _ in range(100):
            group = group.create_group("g")


if __name__ == "__main__":
    main()
