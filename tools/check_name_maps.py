#!/usr/bin/env python3
"""Checks against the programs themselves that we know whose weights a file holds, and what to do with them.

    python3 tools/check_name_maps.py make torchvision FOLDER [NET...]      where torch and torchvision are
    python3 tools/check_name_maps.py make timm FOLDER [NET...]             where torch, timm and safetensors are
    KERAS_BACKEND=torch python3 tools/check_name_maps.py make keras FOLDER [NET...]    where keras is
    python3 tools/check_name_maps.py check build/release/cli/enxerto FOLDER    where numpy and onnxruntime are

The three are rarely in one environment, so "make" fills random networks and leaves one folder for each file:
weights in the program's own format, images.npy, logits.npy (a feature map for files without a head) and wanted.json.
"check" runs `enxerto convert FILE out.onnx --plain-input`, asks onnxruntime for the answers, compares the net that was
recognised and the numbers (|ours - theirs| / |theirs|, 2-norms, 1e-4 is allowed), prints a line for each and removes
what it has seen. Start "check" with --follow to let it run while "make" still does: it ends when FOLDER/done is there.
"""
import argparse
import json
import os
import pathlib
import shutil
import subprocess
import sys
import time

import numpy as np

LIMIT = 1e-4
TORCHVISION = {name: name for name in """alexnet vgg11 vgg13 vgg16 vgg19 vgg11_bn vgg13_bn vgg16_bn vgg19_bn resnet18
    resnet34 resnet50 resnet101 resnet152 mobilenet_v2 mobilenet_v3_small mobilenet_v3_large squeezenet1_0
    squeezenet1_1""".split()} | {"googlenet": "googlenet_aux"}
TIMM = {"resnet18": "resnet18", "resnet34": "resnet34", "resnet50": "resnet50", "resnet101": "resnet101",
        "resnet152": "resnet152", "vgg11": "vgg11", "vgg13": "vgg13", "vgg16": "vgg16", "vgg19": "vgg19",
        "vgg11_bn": "vgg11_bn", "vgg13_bn": "vgg13_bn", "vgg16_bn": "vgg16_bn", "vgg19_bn": "vgg19_bn",
        "mobilenetv2_100": "mobilenet_v2", "mobilenetv3_small_100": "mobilenet_v3_small",
        "mobilenetv3_large_100": "mobilenet_v3_large",
        "tf_mobilenetv3_small_minimal_100": "mobilenet_v3_small_minimalistic",
        "tf_mobilenetv3_large_minimal_100": "mobilenet_v3_large_minimalistic"}
# Net of Keras: its constructor, and what is special about it.
KERAS = {"vgg16": ("VGG16", {}), "vgg19": ("VGG19", {}), "resnet50_keras": ("ResNet50", {}),
         "resnet101_keras": ("ResNet101", {}), "resnet152_keras": ("ResNet152", {}),
         "mobilenet_v1": ("MobileNet", {"alpha": 1.0}), "mobilenet_v1_0.75": ("MobileNet", {"alpha": 0.75}),
         "mobilenet_v1_0.5": ("MobileNet", {"alpha": 0.5}), "mobilenet_v1_0.25": ("MobileNet", {"alpha": 0.25}),
         "mobilenet_v2_keras": ("MobileNetV2", {}),
         "mobilenet_v3_small_minimalistic": ("MobileNetV3Small",
                                             {"minimalistic": True, "include_preprocessing": False}),
         "mobilenet_v3_large_minimalistic": ("MobileNetV3Large",
                                             {"minimalistic": True, "include_preprocessing": False})}


def store(folder, case, net, save, images, answers, flags=(), note=""):
    """One case, under its name only when it is whole."""
    hidden, place = folder / f".{case}", folder / case
    hidden.mkdir(parents=True)
    save(hidden)
    np.save(hidden / "images.npy", images)
    np.save(hidden / "logits.npy", answers)
    file = next(p.name for p in hidden.iterdir() if p.suffix != ".npy")
    (hidden / "wanted.json").write_text(json.dumps({"file": file, "net": net, "flags": list(flags), "note": note}))
    hidden.rename(place)


def wait_for_room(folder):
    while sum(p.stat().st_size for p in folder.rglob("*") if p.is_file()) > 4 << 30:
        time.sleep(1)


def pictures():
    return np.random.default_rng(3).standard_normal((2, 3, 224, 224)).astype(np.float32)


# ---- PyTorch

def import_torchvision():
    """Its operators in C++ may be missing: the networks need none."""
    import torch
    for name, schema in (("nms", "(Tensor boxes, Tensor scores, float limit) -> Tensor"),
                         ("qnms", "(Tensor boxes, Tensor scores, float limit) -> Tensor")):
        try:
            torch.library.define(f"torchvision::{name}", schema)
        except RuntimeError:
            pass
    import torchvision
    return torchvision


def shake(model):
    """Numbers that forget no parameter: shifts and running statistics are not at rest."""
    import torch
    torch.manual_seed(7)
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, torch.nn.modules.batchnorm._BatchNorm):
                # Small variances, so that eps counts.
                module.running_var.uniform_(0.01, 0.03)
                module.running_mean.normal_(0, 0.05)
                module.weight.uniform_(0.08, 0.16)
                module.bias.normal_(0, 0.1)
            elif isinstance(module, (torch.nn.Conv2d, torch.nn.Linear)):
                torch.nn.init.kaiming_normal_(module.weight)
                if module.bias is not None:
                    module.bias.normal_(0, 0.1)
    return model.eval()


def torch_answers(model, images):
    import torch
    with torch.no_grad():
        return model(torch.from_numpy(images)).numpy()


def make_torch(folder, names, program, create, trunk):
    import torch
    images = pictures()
    for name, net in names.items():
        wait_for_room(folder)
        model = shake(create(name))
        state = model.state_dict()
        answers = torch_answers(model, images)
        store(folder, f"{program}.{name}.pth", net, lambda place: torch.save(state, place / "weights.pth"), images,
              answers)
        if name == "googlenet":
            store(folder, f"{program}.{name}.net.pth", "googlenet",
                  lambda place: torch.save(state, place / "weights.pth"), images, answers, ["--net", "googlenet"])
        if program == "timm":
            from safetensors.torch import save_file
            store(folder, f"{program}.{name}.safetensors", net,
                  lambda place: save_file(state, place / "weights.safetensors"), images, answers)
        if name in trunk:
            headless = {key: value for key, value in state.items() if not key.startswith(trunk[name][0])}
            store(folder, f"{program}.{name}.headless.pth", net,
                  lambda place: torch.save({"state_dict": {f"module.{k}": v for k, v in headless.items()}, "epoch": 3},
                                           place / "weights.pth"), images, trunk[name][1](model, images))


def make_torchvision(folder, names):
    torchvision = import_torchvision()

    def create(name):
        extra = {"init_weights": False, "transform_input": False} if name == "googlenet" else {}
        return getattr(torchvision.models, name)(**extra)

    def resnet_features(model, images):
        import torch
        return torch_answers(torch.nn.Sequential(*list(model.children())[:-2]), images)

    make_torch(folder, chosen(TORCHVISION, names), "torchvision", create, {
        "resnet18": ("fc.", resnet_features),
        "vgg11_bn": ("classifier.", lambda model, images: torch_answers(model.features, images)),
        "mobilenet_v2": ("classifier.", lambda model, images: torch_answers(model.features, images))})


def make_timm(folder, names):
    import_torchvision()
    import timm
    make_torch(folder, chosen(TIMM, names), "timm", timm.create_model, {
        "resnet18": ("fc.", lambda model, images: torch_answers(model.forward_features, images))})


# ---- Keras

def keras_model(function, extra, include_top, rng):
    import keras
    head = {"classifier_activation": None} if include_top else {}
    model = getattr(keras.applications, function)(weights=None, include_top=include_top,
                                                  input_shape=(224, 224, 3), **head, **extra)
    for layer in model.layers:
        values = []
        for weight in layer.weights:
            shape, kind = tuple(weight.shape), weight.name
            if "kernel" in kind:
                fan = np.prod(shape[:-1]) if layer.__class__.__name__ != "DepthwiseConv2D" else np.prod(shape[:2])
                values.append(rng.standard_normal(shape) * np.sqrt(2 / fan))
            elif "variance" in kind:
                values.append(rng.uniform(0.01, 0.03, shape))
            elif "gamma" in kind:
                values.append(rng.uniform(0.08, 0.16, shape))
            else:
                values.append(rng.standard_normal(shape) * 0.05)
        if values:
            layer.set_weights([value.astype(np.float32) for value in values])
    return model


def save_like_keras2(model, path):
    """The layout of the published files: a group for each layer, names with ":0"."""
    import h5py
    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = [layer.name.encode() for layer in model.layers]
        file.attrs["backend"] = b"tensorflow"
        file.attrs["keras_version"] = b"2.2.4"
        for layer in model.layers:
            group = file.create_group(layer.name)
            depthwise = layer.__class__.__name__ == "DepthwiseConv2D"
            named = [(f"{layer.name}/{'depthwise_' if depthwise and weight.name == 'kernel' else ''}{weight.name}:0",
                      weight) for weight in layer.weights]
            group.attrs["weight_names"] = [name.encode() for name, _ in named]
            for name, weight in named:
                group.create_dataset(name, data=np.asarray(weight.numpy()))


RESNET_BRANCH = {"0": "branch1", "1": "branch2a", "2": "branch2b", "3": "branch2c"}


def early_name(net, name):
    """What early Keras, or Keras 2, called this layer."""
    if net == "mobilenet_v2_keras":
        return {"predictions": "Logits"}.get(name, name)
    if net == "resnet50_keras":
        fixed = {"conv1_conv": "conv1", "conv1_bn": "bn_conv1", "predictions": "fc1000"}
        if name in fixed or not name.startswith("conv") or name.count("_") < 3:
            return fixed.get(name, name)
        stage, block, part, kind = name.split("_")
        if kind not in ("conv", "bn"):
            return name
        letter = chr(ord("a") + int(block[5:]) - 1)
        return f"{'res' if kind == 'conv' else 'bn'}{stage[4:]}{letter}_{RESNET_BRANCH[part]}"
    if "minimalistic" in net:
        stem, norm = (name[:-3], "/BatchNorm") if name.endswith("_bn") else (name, "")
        stem = {"conv": "Conv", "conv_1": "Conv_1", "conv_2": "Conv_2", "logits": "Logits"}.get(stem, stem)
        if stem.startswith("expanded_conv"):
            stem = "/".join(stem.rsplit("_", 1))
        return stem + norm
    return name


class Renamed:
    """A model whose layers have other names."""

    def __init__(self, model, rename):
        self.layers = []
        for layer in model.layers:
            self.layers.append(type(layer.__class__.__name__, (), {"name": rename(layer.name),
                                                                   "weights": layer.weights})())


def make_keras(folder, names):
    import keras
    images = pictures()
    channels_last = np.ascontiguousarray(images.transpose(0, 2, 3, 1))
    for net, (function, extra) in chosen(KERAS, names).items():
        wait_for_room(folder)
        model = keras_model(function, extra, True, np.random.default_rng(5))
        answers = np.asarray(model.predict(channels_last, verbose=0)).reshape(2, -1)
        store(folder, f"keras.{net}.weights.h5", net,
              lambda place: model.save_weights(place / "model.weights.h5"), images, answers)
        store(folder, f"keras.{net}.keras2.h5", net,
              lambda place: save_like_keras2(model, place / "weights.h5"), images, answers)
        store(folder, f"keras.{net}.whole.keras", net,
              lambda place: model.save(place / "model.keras"), images, answers)
        if net in ("mobilenet_v2_keras", "resnet50_keras") or "minimalistic" in net:
            if net == "resnet50_keras":  # of which the eps is 1e-3
                for layer in model.layers:
                    if layer.__class__.__name__ == "BatchNormalization":
                        layer.epsilon = 1e-3
                model.predict_function = None
                answers = np.asarray(model(channels_last).detach()).reshape(2, -1)
            early = Renamed(model, lambda name: early_name(net, name))
            store(folder, f"keras.{net}.early.h5", net, lambda place: save_like_keras2(early, place / "weights.h5"),
                  images, answers)
        trunk = keras_model(function, extra, False, np.random.default_rng(6))
        features = np.asarray(trunk.predict(channels_last, verbose=0)).transpose(0, 3, 1, 2)
        store(folder, f"keras.{net}.notop.h5", net, lambda place: save_like_keras2(trunk, place / "weights.h5"),
              images, features)
        keras.backend.clear_session()


def chosen(known, names):
    return {name: known[name] for name in names} if names else known


# ---- Ours

def distance(ours, theirs):
    ours, theirs = np.asarray(ours, np.float64), np.asarray(theirs, np.float64)
    if ours.size != theirs.size:
        return float("inf")
    return float(np.linalg.norm(ours.reshape(-1) - theirs.reshape(-1)) / max(np.linalg.norm(theirs), 1e-30))


def check_case(enxerto, place):
    import onnxruntime
    onnxruntime.set_default_logger_severity(3)
    wanted = json.loads((place / "wanted.json").read_text())
    out = place / "out.onnx"
    ran = subprocess.run([enxerto, "convert", place / wanted["file"], out, "--plain-input", "--json", *wanted["flags"]],
                         capture_output=True, text=True)
    if ran.returncode != 0:
        return f"exit code {ran.returncode}: {ran.stderr.strip()[:600]}", None
    said = json.loads(ran.stdout)
    session = onnxruntime.InferenceSession(str(out), providers=["CPUExecutionProvider"])
    answers = session.run(None, {session.get_inputs()[0].name: np.load(place / "images.npy")})[0]
    error = distance(answers, np.load(place / "logits.npy"))
    problem = "" if said["net"] == wanted["net"] else f"is taken for {said['net'] or 'nothing'}"
    if not error <= LIMIT:
        problem += f" is {error:.1e} away"
    return problem.strip(), error


def check(enxerto, folder, follow):
    failed, worst, seen = 0, 0.0, 0
    while True:
        done = not follow or (folder / "done").exists()
        cases = sorted(p for p in folder.iterdir() if p.is_dir() and not p.name.startswith("."))
        for place in cases:
            problem, error = check_case(enxerto, place)
            shutil.rmtree(place)
            seen, failed, worst = seen + 1, failed + bool(problem), max(worst, error or 0)
            print(f"{place.name:45} {'' if error is None else f'{error:.1e}'} {problem or 'as it should be'}", flush=True)
        if done and not cases:
            break
        time.sleep(0.5)
    print(f"{seen} files, {failed} of them wrong, at most {worst:.1e} apart")
    return 1 if failed or not seen else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    verbs = parser.add_subparsers(dest="verb", required=True)
    making = verbs.add_parser("make")
    making.add_argument("program", choices=["torchvision", "timm", "keras"])
    making.add_argument("folder", type=pathlib.Path)
    making.add_argument("net", nargs="*")
    checking = verbs.add_parser("check")
    checking.add_argument("enxerto")
    checking.add_argument("folder", type=pathlib.Path)
    checking.add_argument("--follow", action="store_true")
    given = parser.parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    if given.verb == "check":
        return check(os.path.abspath(given.enxerto), given.folder, given.follow)
    {"torchvision": make_torchvision, "timm": make_timm, "keras": make_keras}[given.program](given.folder, given.net)
    return 0


if __name__ == "__main__":
    sys.exit(main())
