#!/usr/bin/env python3
"""The onnxruntime side of bench_step: one answer of a network, by the same protocol.

usage: rival_onnx.py NET infer BATCH --enxerto COMMAND [--size 224] [--threads 2] [--runs 7] [--serve]

The network is torchvision's with random weights, written as ONNX by `enxerto convert`.
"""
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy
import onnxruntime

import rival


def make_step(options):
    """The function that does one step; everything that it needs is made here. A process of its own makes the
    weights, so that PyTorch's memory is not counted."""
    make = (f"import sys, torch\nsys.path.insert(0, {str(Path(__file__).parent)!r})\n"
            "from torchvision_alone import torchvision\ntorch.manual_seed(1)\n"
            "net = torchvision.models.get_model(sys.argv[1], weights=None)\ntorch.save(net.state_dict(), sys.argv[2])")
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
    parser = rival.arguments(__doc__.splitlines()[0], ("infer",))
    parser.add_argument("--enxerto", required=True)
    options = parser.parse_args()
    rival.run(make_step(options), options, f"onnxruntime {onnxruntime.__version__}")


if __name__ == "__main__":
    main()
