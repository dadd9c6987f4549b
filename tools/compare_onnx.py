#!/usr/bin/env python3
"""Compares ONNX files with onnxruntime on a random picture and on photos, at batch 1 and 2.

    python3 tools/compare_onnx.py build/release/tests/onnx/onnx_run ../shared/data/weights/onnx/*.onnx \\
        --photos ../shared/data/photos/imagenet_check

Needs onnxruntime, numpy and Pillow. Prints for each output |ours - theirs| / |theirs| (2-norms), and how far a
batch of two photos is from two single ones; fails above 1e-4.
"""
import argparse
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
import onnxruntime
from PIL import Image

LIMIT = 1e-4
onnxruntime.set_default_logger_severity(3)


def ours(program, model, images):
    """{output: array}, each with one row a picture."""
    with tempfile.TemporaryDirectory() as folder:
        np.save(f"{folder}/in.npy", images)
        names = subprocess.run([program, model, f"{folder}/in.npy", folder], check=True, stdout=subprocess.PIPE,
                               text=True).stdout.splitlines()
        return {name: np.load(f"{folder}/{i}.npy").reshape(len(images), -1) for i, name in enumerate(names)}


def photo(path, shape, small):
    image = Image.open(path).convert("RGB" if shape[1] == 3 else "L").resize((shape[3], shape[2]), Image.BILINEAR)
    pixels = np.asarray(image, np.float32).reshape(shape[2], shape[3], shape[1]).transpose(2, 0, 1)[None]
    return np.ascontiguousarray(pixels / 127.5 - 1 if small else pixels)


def distance(a, b):
    return float(np.linalg.norm(a.astype(np.float64) - b) / max(np.linalg.norm(b.astype(np.float64)), 1e-30))


def compare(program, path, photos):
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    given = session.get_inputs()[0]
    shape = [size if isinstance(size, int) else 1 for size in given.shape]
    small = "yolox" not in path and "fastestdet" not in path  # those want pixels up to 255
    inputs = {"random": np.random.default_rng(1).uniform(-1, 1, shape).astype(np.float32)}
    pictures = [photo(p, shape, small) for p in photos]
    inputs |= {p.stem.split("_")[0]: picture for p, picture in zip(photos, pictures)}
    worst = 0.0
    for what, images in inputs.items():
        theirs = dict(zip([o.name for o in session.get_outputs()], session.run(None, {given.name: images})))
        for name, value in ours(program, path, images).items():
            d = distance(value, theirs[name].reshape(1, -1))
            worst = max(worst, d)
            print(f"{pathlib.Path(path).stem:42} {what:10} {name:18} {d:.1e}")
    both = ours(program, path, np.concatenate(pictures[:2]))
    single = [ours(program, path, picture) for picture in pictures[:2]]
    for name, value in both.items():
        d = max(distance(value[i], single[i][name][0]) for i in range(2))
        worst = max(worst, d)
        print(f"{pathlib.Path(path).stem:42} {'batch 2':10} {name:18} {d:.1e}")
    return worst


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("program")
    parser.add_argument("models", nargs="+")
    parser.add_argument("--photos", type=pathlib.Path, required=True, help="a folder of pictures; two are used")
    arguments = parser.parse_args()
    photos = sorted(p for p in arguments.photos.rglob("*") if p.suffix.lower() in (".jpg", ".jpeg", ".png"))[:2]
    worst = max(compare(arguments.program, model, photos) for model in arguments.models)
    if worst > LIMIT:
        sys.exit(f"{worst:.1e} is above {LIMIT}")


if __name__ == "__main__":
    main()
