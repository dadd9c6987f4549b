#!/usr/bin/env python3
"""Compares what Enxerto writes as ONNX with onnxruntime: each layer alone, and networks of the zoo.

    python3 tools/check_onnx_export.py build/release/tests/onnx_export/onnx_export layers resnet18 MODEL.safetensors \\
        --reader build/release/tests/onnx/onnx_run

Needs numpy, onnx and onnxruntime; "layers" stands for the small networks of enxerto/testing/onnx_cases.h. Every file
goes through onnx.checker with all its checks, and answers a batch of three pictures and a single one. Prints
|ours - theirs| / |theirs| (2-norms), the worse of the two batches for each output; fails above 1e-5. With --reader
the networks of the zoo are read back by us too, and compared with what was written.
"""
import argparse
import json
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
import onnx
import onnxruntime

LIMIT = 1e-5
onnxruntime.set_default_logger_severity(3)


def distance(ours, theirs):
    ours, theirs = (np.asarray(a, np.float64).reshape(len(a), -1) for a in (ours, theirs))
    if ours.shape != theirs.shape:
        return float("inf")
    return float(np.linalg.norm(ours - theirs) / max(np.linalg.norm(theirs), 1e-30))


def answers(path, images):
    """{output: array}; the checker has seen the file."""
    model = onnx.load(path)
    onnx.checker.check_model(model, full_check=True)
    for value in (*model.graph.input, *model.graph.output):
        assert value.type.tensor_type.shape.dim[0].dim_param == "n", f"{path}: {value.name} has a fixed batch"
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    given = session.get_inputs()[0].name
    names = [output.name for output in session.get_outputs()]
    return names, session.run(None, {given: images}), session.run(None, {given: images[:1]})


def compare(folder, name, suffix="", images="in"):
    """{output: distance} of NAME[SUFFIX].onnx on NAME.IMAGES.npy."""
    names, three, one = answers(folder / f"{name}{suffix}.onnx", np.load(folder / f"{name}.{images}.npy"))
    found = {}
    for i, output in enumerate(names):
        ours = np.load(folder / f"{name}.{i}.npy")
        found[output] = max(distance(ours, three[i]), distance(ours[:1], one[i]))
    return found


def read_back(reader, folder, name, suffix):
    """The same of our own importer; preprocessing inside is taken out by it."""
    out = folder / "back"
    out.mkdir(exist_ok=True)
    outputs = subprocess.run([reader, folder / f"{name}{suffix}.onnx", folder / f"{name}.in.npy", out], check=True,
                             stdout=subprocess.PIPE, text=True).stdout.splitlines()
    return {output: distance(np.load(out / f"{i}.npy"), np.load(folder / f"{name}.{i}.npy"))
            for i, output in enumerate(outputs)}


def check_metadata(path):
    entries = {entry.key: entry.value for entry in onnx.load(path).metadata_props}
    classes = json.loads(entries["enxerto.classes"])
    assert eval(entries["names"], {"__builtins__": {}}) == dict(enumerate(classes)), f"{path}: names"  # our own file
    json.loads(entries["enxerto.preprocess"])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("program")
    parser.add_argument("nets", nargs="+", metavar="NET")
    parser.add_argument("--reader", help="tests/onnx/onnx_run")
    arguments = parser.parse_args()
    worst = 0.0
    for net in arguments.nets:
        with tempfile.TemporaryDirectory() as made:
            folder = pathlib.Path(made)
            names = subprocess.run([arguments.program, made, net], check=True, stdout=subprocess.PIPE,
                                   text=True).stdout.splitlines()
            for name in names:
                runs = [("", compare(folder, name))]
                if (folder / f"{name}.pixels.onnx").exists():
                    runs.append((" from pixels", compare(folder, name, ".pixels", "pixels")))
                    if arguments.reader:
                        runs.append((" read back", read_back(arguments.reader, folder, name, "")))
                        runs.append((" read back from pixels", read_back(arguments.reader, folder, name, ".pixels")))
                    check_metadata(folder / f"{name}.pixels.onnx")
                for how, found in runs:
                    for output, value in found.items():
                        worst = max(worst, value)
                        mark = "" if value <= LIMIT else "  TOO FAR"
                        print(f"{name + how:44} {output:24} {value:.1e}{mark}", flush=True)
    print(f"worst {worst:.1e}")
    if not worst <= LIMIT:
        sys.exit(f"{worst:.1e} is above {LIMIT}")


if __name__ == "__main__":
    main()
