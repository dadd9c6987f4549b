#!/usr/bin/env python3
"""Makes tests/onnx/golden.json: what onnxruntime computes from the ONNX files of ../shared.

    python3 tools/make_onnx_golden.py ../shared/data/weights/onnx

Needs onnxruntime and numpy. The picture is a function of the file's name (tools/hashed.py, and
tests/onnx/onnx_test.cpp as well); of each output its size and a sketch are stored.
"""
import json
import pathlib
import sys

import numpy as np
import onnxruntime

from hashed import sketch, uniform

onnxruntime.set_default_logger_severity(3)
GOLDEN = pathlib.Path(__file__).resolve().parent.parent / "tests" / "onnx" / "golden.json"


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    lines = []
    for path in sorted(pathlib.Path(sys.argv[1]).glob("*.onnx")):
        session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
        given = session.get_inputs()[0]
        shape = [size if isinstance(size, int) else 1 for size in given.shape]
        picture = (4 * uniform(path.stem, int(np.prod(shape)))).reshape(shape)
        values = session.run(None, {given.name: picture})
        sketches = {o.name: [int(v.size), *sketch(v)] for o, v in zip(session.get_outputs(), values)}
        lines.append(f'"{path.stem}": {json.dumps(sketches, separators=(",", ":"))}')
    GOLDEN.write_text("{\n" + ",\n".join(lines) + "\n}\n")


if __name__ == "__main__":
    main()
