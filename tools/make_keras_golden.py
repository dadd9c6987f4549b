#!/usr/bin/env python3
"""Computes what the Keras files of ../shared/data/weights/h5 answer, from h5py and PyTorch in double, without Keras.

usage: python tools/make_keras_golden.py   (writes tests/files/keras_shared.json; needs h5py, NumPy, PyTorch)
"""
import json
from pathlib import Path

import h5py
import numpy as np
import torch
import torch.nn.functional as F

ROOT = Path(__file__).resolve().parent.parent
FILES = ROOT.parent / "shared/data/weights/h5"


def picture(c, h, w):
    """Number i in the order c, h, w; the tests compute the same."""
    i = np.arange(c * h * w, dtype=np.int64)
    return torch.from_numpy((i * 7919 % 251) / 125.0 - 1.0).float().double().reshape(1, c, h, w)


def pad_same(x, kernel, stride):
    pads = []
    for size, k, s in zip(x.shape[:1:-1], kernel[::-1], stride[::-1]):  # w, then h, as F.pad wants
        total = max((-(-size // s) - 1) * s + k - size, 0)
        pads += [total // 2, total - total // 2]
    return F.pad(x, pads)


def activate(x, name):
    return {"linear": lambda: x, "relu": lambda: x.clamp(min=0), "softmax": lambda: x.softmax(1)}[name]()


def run(file):
    model = json.loads(file.attrs["model_config"])
    weights = {}
    for group in file["model_weights"].values():
        group.visititems(lambda n, o: weights.__setitem__(n.split(":")[0], torch.from_numpy(o[()]).double())
                         if isinstance(o, h5py.Dataset) else None)
    values = {}
    for layer in model["config"]["layers"]:
        kind, c, name = layer["class_name"], layer["config"], layer["name"]
        if kind == "InputLayer":
            h, w, channels = c["batch_input_shape"][1:]
            values[name] = picture(channels, h, w)
            continue
        call = layer["inbound_nodes"][0]
        if isinstance(call[0], str):  # a function: its second operand is an option
            inputs = [values[call[0]], values[call[3]["y"][0]]]
        else:
            inputs = [values[entry[0]] for entry in call]
        x = inputs[0]
        if kind in ("Conv2D", "DepthwiseConv2D"):
            if kind == "Conv2D":
                kernel, groups = weights[f"{name}/kernel"].permute(3, 2, 0, 1), 1
            else:
                kernel, groups = weights[f"{name}/depthwise_kernel"].permute(2, 3, 0, 1), x.shape[1]
            if c["padding"] == "same":
                x = pad_same(x, c["kernel_size"], c["strides"])
            x = F.conv2d(x, kernel, weights.get(f"{name}/bias"), stride=c["strides"], groups=groups)
            x = activate(x, c["activation"])
        elif kind == "BatchNormalization":
            w = [weights[f"{name}/{part}"] for part in ("moving_mean", "moving_variance", "gamma", "beta")]
            x = F.batch_norm(x, *w, eps=c["epsilon"])
        elif kind == "Activation":
            x = activate(x, c["activation"])
        elif kind == "ReLU":
            x = x.clamp(0, c["max_value"])
        elif kind == "ZeroPadding2D":
            (top, bottom), (left, right) = c["padding"]
            x = F.pad(x, (left, right, top, bottom))
        elif kind == "AveragePooling2D":
            x = F.avg_pool2d(x, c["pool_size"], c["strides"])
        elif kind == "GlobalAveragePooling2D":
            x = x.mean((2, 3), keepdim=True)
        elif kind in ("Add", "TFOpLambda"):
            x = inputs[0] + inputs[1]
        elif kind in ("Flatten", "Reshape"):
            x = x.permute(0, 2, 3, 1).flatten(1)
        elif kind == "Dense":
            x = activate(x @ weights[f"{name}/kernel"] + weights[f"{name}/bias"], c["activation"])
        else:
            raise SystemExit(f"{name}: {kind} is not known here")
        values[name] = x
    return values[model["config"]["output_layers"][0][0]][0]


def main():
    answers = {}
    for path in sorted(FILES.glob("*.h5")):
        with h5py.File(path) as file:
            y = run(file).numpy()
        largest = sorted(np.argsort(-y)[:16].tolist())
        answers[path.name] = {"sizes": len(y), "at": largest, "output": [float(f"{y[i]:.9g}") for i in largest]}
        print(path.name, answers[path.name])
    (ROOT / "tests/files/keras_shared.json").write_text(json.dumps(answers, indent=0) + "\n")


if __name__ == "__main__":
    main()
