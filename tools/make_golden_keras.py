#!/usr/bin/env python3
"""Makes the golden logits in tests/golden/zoo/ of the networks in Keras's form, computed by Keras in double.

    python3 tools/make_golden_keras.py                # all of them
    python3 tools/make_golden_keras.py mobilenet_v1   # one of them

Needs keras 3 and torch, which it runs on. Weights and pictures are as in make_golden_zoo.py. Logits alone: how
gradients pass such layers, the networks of torchvision show. The pictures have 70 pixels, so that feature maps of
odd size come up, where Keras's paddings differ.
"""
import argparse
import os

os.environ["KERAS_BACKEND"] = "torch"

import keras
import numpy as np
from keras import applications

from make_golden import batch_of
from make_golden_zoo import numbers, value_of, write

V3 = dict(minimalistic=True, include_preprocessing=False)
NETS = {
    "resnet50_keras": (applications.ResNet50, {}),
    "resnet101_keras": (applications.ResNet101, {}),
    "resnet152_keras": (applications.ResNet152, {}),
    "mobilenet_v1": (applications.MobileNet, {}),
    "mobilenet_v1_0.75": (applications.MobileNet, dict(alpha=0.75)),
    "mobilenet_v1_0.5": (applications.MobileNet, dict(alpha=0.5)),
    "mobilenet_v1_0.25": (applications.MobileNet, dict(alpha=0.25)),
    "mobilenet_v2_keras": (applications.MobileNetV2, {}),
    "mobilenet_v3_small_minimalistic": (applications.MobileNetV3Small, V3),
    "mobilenet_v3_large_minimalistic": (applications.MobileNetV3Large, V3),
}
CASES = {name: dict(gain=1.0, high=8 if name.startswith("mobilenet") else 0, batch=2, net=name, image=[3, 70, 70],
                    classes=10, seed=1) for name in NETS}
NAMES = dict(kernel="weight", bias="bias", gamma="weight", beta="bias", moving_mean="running_mean",
             moving_variance="running_var")


def hashed_like(layer, variable, case):
    """The weight of our name and order, in Keras's order."""
    name = f"{layer.name}.{NAMES[variable.name]}"
    shape, depthwise = tuple(variable.shape), isinstance(layer, keras.layers.DepthwiseConv2D)
    if len(shape) == 4:  # HWIO, or HWC1 of a depthwise one
        ours = value_of(name, tuple(shape[i] for i in ((2, 3, 0, 1) if depthwise else (3, 2, 0, 1))),
                        case["gain"], case["high"]).numpy()
        return ours.transpose((2, 3, 0, 1) if depthwise else (2, 3, 1, 0))
    if len(shape) == 2:
        return value_of(name, shape[::-1], case["gain"], case["high"]).numpy().T
    return value_of(name, shape, case["gain"], case["high"]).numpy()


def make(name):
    case = CASES[name]
    function, options = NETS[name]
    net = function(weights=None, classes=case["classes"], classifier_activation=None,
                   input_shape=(*case["image"][1:], case["image"][0]), **options)
    for layer in net.layers:
        for variable in layer.weights:
            variable.assign(hashed_like(layer, variable, case).astype(np.float64))
    images, _ = batch_of(case, 0)
    logits = net(images.numpy().transpose((0, 2, 3, 1)).astype(np.float64), training=False)
    print(f"{name}: {net.count_params()} parameters, {len(net.weights)} tensors", flush=True)
    write(case, f"tools/make_golden_keras.py with Keras {keras.__version__}", {"inference_logits": numbers(logits)})


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("case", nargs="*", choices=[*CASES, []], help="one of " + ", ".join(CASES))
    keras.backend.set_floatx("float64")
    for chosen in parser.parse_args().case or CASES:
        make(chosen)
