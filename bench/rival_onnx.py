#!/usr/bin/env python3
"""The onnxruntime side of bench_step: one answer of a network, by the same protocol.

usage: rival_onnx.py NET infer BATCH --enxerto COMMAND [--size 224] [--threads 2] [--runs 7] [--serve]

The network is torchvision's with random weights, written as ONNX by `enxerto convert`.
"""
import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy
import onnxruntime


def make_step(options):
    """The function that does one step; everything that it needs is made here. A process of its own makes the
    weights, so that PyTorch's memory is not counted."""
    make = (f"import sys, torch\nsys.path.insert(0, {str(Path(__file__).parent)!r})\n"
            "from torchvision_alone import torchvision\ntorch.manual_seed(1)\nnet = torchvision.models.get_model(sys.argv[1], weights=None)\ntorch.save(net.state_dict(), sys.argv[2])")
    with tempfile.TemporaryDirectory() as folder:
        weights, model = Path(folder) / f"{options.net}.pth", Path(folder) / f"{options.net}.onnx"
        subprocess.run([sys.executable, "-c", make, options.net, weights], check=True)
        subprocess.run([options.enxerto, "convert", weights, model, "--net", options.net, "--size", str(options.size)],
                       check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        settings = onnxruntime.SessionOptions()
        settings.intra_op_num_threads, settings.inter_op_num_threads = options.threads, 1
        session = onnxruntime.InferenceSession(str(model), settings, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    images = numpy.random.default_rng(1).standard_normal((options.batch, 3, options.size, options.size), numpy.float32)
    return lambda: session.run(None, {name: images})[0][0, 0]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("net")
    parser.add_argument("task", choices=("infer",))
    parser.add_argument("batch", type=int)
    parser.add_argument("--enxerto", required=True)
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--serve", action="store_true")
    options = parser.parse_args()
    step = make_step(options)

    def seconds():
        start = time.perf_counter()
        step()
        return time.perf_counter() - start

    if options.serve:
        print(json.dumps({"ready": True, "program": f"onnxruntime {onnxruntime.__version__}"}), flush=True)
        for line in sys.stdin:
            if line.strip() != "go":
                sys.exit(f"{line!r}: the only command is go")
            print(json.dumps({"seconds": seconds()}), flush=True)
        return
    seconds(), seconds()
    median = statistics.median(seconds() for _ in range(options.runs))
    print(f"{options.net} batch {options.batch}, onnxruntime {onnxruntime.__version__}: {median:.4f} s, median of "
          f"{options.runs}, {options.batch / median:.2f} images/s")


if __name__ == "__main__":
    main()
