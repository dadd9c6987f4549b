#!/usr/bin/env python3
"""Makes the golden numbers in tests/golden/zoo/: every network that torchvision has, computed in double.

    python3 tools/make_golden_zoo.py             # all of them, some minutes and 6 GB
    python3 tools/make_golden_zoo.py resnet50    # one of them

Needs torch 2.13 (CPU), torchvision 0.28 and numpy. Weights, pictures and labels are functions of their name, as
in make_golden.py, and tests/golden_zoo_test.cpp has them as well. Weights are chosen so that hardly a unit lies
near the kink of its activation, since one that a rounding error flips costs a gradient more than a thousandth:
batch norm gives each channel a deviation of 1/4 around 1, or around -1 for every fourth, or where activations
saturate around 8 for every eighth. Shifts depend on the channel alone, so residual sums stay clear of zero too.
Networks without batch norm get smaller weights than He's. The seeds are those of a few (--seeds) whose nearest
kink is farthest away. Dropout is off. Of each gradient only the 2-norm and 4 sums with hash-made signs are stored,
for large ones of every k-th element. Some are zero but for rounding errors: of a shift that the next batch norm
takes away again. Of these a 0 is stored.
"""
import argparse
import contextlib
import functools
import json

import numpy as np
import torch
from torch import nn

from make_golden import FOLDER, batch_of, hashed, relative, uniform

SIGNS, LARGEST = 4, 2**18
# gain of the weights, shift of every eighth channel, seed
PLAIN = dict(gain=0.8125, high=0, batch=2)
NORMED = dict(gain=1.0, high=0, batch=4)
SATURATED = dict(gain=1.0, high=8, batch=4)
SEEDS = dict(resnet18=4, resnet34=4, resnet50=4, resnet101=4, resnet152=4, vgg11=10, vgg13=8, vgg16=7, vgg19=8,
             vgg11_bn=2, googlenet=3, googlenet_aux=3)
CASES = {name: dict(how, net=name, image=[3, 32, 32] if name.startswith("vgg") else [3, 64, 64], classes=10,
                    seed=SEEDS.get(name, 1)) for how, names in (
    (PLAIN, "alexnet vgg11 vgg13 vgg16 vgg19 squeezenet1_0 squeezenet1_1"),
    (NORMED, "vgg11_bn vgg13_bn vgg16_bn vgg19_bn googlenet googlenet_aux resnet18 resnet34 resnet50 resnet101 "
             "resnet152"),
    (SATURATED, "mobilenet_v2 mobilenet_v3_small mobilenet_v3_large")) for name in names.split()}
AUXILIARY = 0.3  # of each auxiliary head's loss (Szegedy et al. 2014)


@functools.lru_cache(maxsize=None)
def value_of(name, shape, gain, high):
    numbers = uniform(name, int(np.prod(shape)))
    if name.endswith("running_var"):
        numbers = np.float32(1.25) + np.float32(0.25) * numbers
    elif name.endswith("running_mean"):
        numbers = np.float32(0.125) * numbers
    elif len(shape) > 1:
        numbers = np.float32(gain * np.sqrt(6.0 / np.prod(shape[1:]))) * numbers
    elif name.endswith(".weight"):
        numbers = np.float32(0.25) + np.float32(0.0625) * numbers
    else:
        channel = np.arange(shape[0])
        shift = np.where(channel % 4 == 3, -1, np.where((channel % 8 == 5) & (high > 0), high, 1))
        numbers = shift.astype(np.float32) + np.float32(0.125) * numbers
    return torch.from_numpy(numbers.reshape(shape))


def rounded(x):
    return float(f"{x:.6g}")


def sketch(name, tensor):
    flat = tensor.detach().double().numpy().ravel()
    flat = flat[::flat.size // LARGEST + 1]
    bits = hashed("signs " + name, flat.size)
    sums = [float(np.where((bits >> np.uint64(j)) & np.uint64(1), flat, -flat).sum()) for j in range(SIGNS)]
    return [rounded(x) for x in [float(np.linalg.norm(flat)), *sums]]


def torchvision_models():
    for name in ("nms", "qnms"):  # torchvision wants them when it is imported, these networks never
        torch.library.define(f"torchvision::{name}", "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    from torchvision import models
    return models


def make_net(case):
    name = case["net"]
    options = {}
    if name.startswith("googlenet"):
        options = dict(aux_logits=name.endswith("_aux"), transform_input=False, init_weights=False)
        name = "googlenet"
    net = getattr(MODELS, name)(weights=None, num_classes=case["classes"], **options)
    net.load_state_dict({name: value_of(name, tensor.shape, case["gain"], case["high"]) if tensor.ndim else tensor
                         for name, tensor in net.state_dict().items()})
    for module in net.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    return net


@contextlib.contextmanager
def watched_kinks(margins):
    """Appends to margins how near the nearest unit comes to a kink, as a share of the root mean square."""
    functional = nn.functional
    kept = {name: getattr(functional, name)
            for name in ("relu", "hardtanh", "hardswish", "hardsigmoid", "max_pool2d")}

    def watched(name, kinks):
        def call(x, *more, **named):
            size = x.detach().square().mean().sqrt()
            margins.extend((name, ((x.detach() - kink).abs().min() / size).item()) for kink in kinks)
            return kept[name](x, *more, **named)
        return call

    def watched_max_pool2d(x, size, stride=None, padding=0, dilation=1, ceil_mode=False, return_indices=False):
        y = x.detach().flatten(0, 1)[:, None]
        y = functional.pad(y, (0, size - 1, 0, size - 1), value=-1e30) if ceil_mode else y
        windows = functional.unfold(y, size, padding=padding, stride=stride or size)
        first, second = windows.topk(2, dim=1).values.unbind(1)
        gaps = (first - second)[first > 0]  # all of them zero: no gradient passes ReLU anyway
        margins.append(("max_pool2d", (gaps[gaps > 0].min() / x.detach().square().mean().sqrt()).item()))
        return kept["max_pool2d"](x, size, stride, padding, dilation, ceil_mode, return_indices)

    kinks = dict(relu=[0], hardtanh=[0, 6], hardswish=[-3, 3], hardsigmoid=[-3, 3])
    for name, at in kinks.items():
        setattr(functional, name, watched(name, at))
    functional.max_pool2d = watched_max_pool2d
    try:
        yield
    finally:
        for name, function in kept.items():
            setattr(functional, name, function)


def run(case, net, dtype):
    net = net.to(dtype)
    net.zero_grad()
    images, labels = batch_of(case, 0)
    result, margins = {}, []
    with torch.no_grad():
        result["inference_logits"] = net.eval()(images.to(dtype))
    with watched_kinks(margins) if dtype == torch.float64 else contextlib.nullcontext():
        outputs = net.train()(images.to(dtype))
    # torchvision gives the last head first; here they go in the order in which they branch off.
    main, *heads = (outputs.logits, outputs.aux_logits1, outputs.aux_logits2) if case["net"].endswith("_aux") \
        else (outputs,)
    loss = nn.functional.cross_entropy(main, labels)
    for head in heads:
        loss = loss + AUXILIARY * nn.functional.cross_entropy(head, labels)
    loss.backward()
    result["training_logits"] = main.detach()
    result["side_logits"] = [head.detach() for head in heads]
    result["loss"] = loss.item()
    result["gradients"] = {name: p.grad for name, p in net.named_parameters()}
    result["margin"] = min(margins, key=lambda each: each[1]) if margins else None
    return result


def vanishing(double):
    """Gradients that are zero in exact arithmetic."""
    largest = max(g.norm().item() for g in double["gradients"].values())
    names = {name for name, g in double["gradients"].items() if g.norm().item() < 1e-11 * largest}
    assert all(name.endswith(".bias") for name in names), names
    return names


def off_by(double, single):
    zeros, gradients = vanishing(double), double["gradients"]
    errors = {}
    for k, v in gradients.items():
        # A shift's terms may nearly cancel; the scale's gradient is a weighted sum of the same.
        sizes = [v, gradients[k.removesuffix("bias") + "weight"]] if k.endswith(".bias") else [v]
        errors[k] = (single["gradients"][k].double() - v).norm().item() / max(x.norm().item() for x in sizes)
    worst = max(errors, key=errors.get)
    return (f"{relative(single['inference_logits'].double(), double['inference_logits']):.1e} (inference), "
            f"{relative(single['training_logits'].double(), double['training_logits']):.1e} (training), "
            f"{errors[worst]:.1e} (gradient of {worst}; {len(zeros)} of {len(double['gradients'])} are zero)")


def try_seeds(name, count):
    """Prints how near the nearest kink comes with each."""
    net = make_net(CASES[name]).double().train()
    for seed in range(1, count + 1):
        margins = []
        with torch.no_grad(), watched_kinks(margins):
            net(batch_of(CASES[name] | dict(seed=seed), 0)[0].double())
        print(f"{name} seed {seed}: {min(margins, key=lambda each: each[1])}", flush=True)


def compact(golden):
    """JSON with one gradient a line."""
    return "{\n" + ",\n".join(
        f" {json.dumps(key)}: " + (json.dumps(value) if not isinstance(value, dict) else "{\n" + ",\n".join(
            f"  {json.dumps(k)}: {json.dumps(v, separators=(',', ':'))}" for k, v in value.items()) + "}")
        for key, value in golden.items()) + "\n}\n"


def numbers(tensor):
    return [rounded(x) for x in tensor.detach().flatten().tolist()]


def write(case, made_by, golden):
    folder = FOLDER / "zoo"
    folder.mkdir(parents=True, exist_ok=True)
    head = dict(made_by=made_by, **case)
    (folder / f"{case['net']}.json").write_text(compact(head | golden))


def make(name):
    case = CASES[name]
    double, single = (run(case, make_net(case), dtype) for dtype in (torch.float64, torch.float32))
    print(f"{name}: loss {double['loss']:.4f}; nearest kink {double['margin']}; float is off by",
          off_by(double, single), flush=True)
    golden = {key: numbers(double[key]) for key in ("inference_logits", "training_logits")}
    if double["side_logits"]:
        golden |= {"side_logits": [numbers(head) for head in double["side_logits"]], "auxiliary": AUXILIARY}
    golden["loss"] = float(f"{double['loss']:.8g}")
    zeros = vanishing(double)
    golden["gradients"] = {k: [0] if k in zeros else sketch(k, v) for k, v in double["gradients"].items()}
    write(case, f"tools/make_golden_zoo.py with PyTorch {torch.__version__.split('+')[0]}", golden)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("case", nargs="*", choices=[*CASES, []], help="one of " + ", ".join(CASES))
    parser.add_argument("--seeds", type=int, help="try so many instead of writing files")
    arguments = parser.parse_args()
    MODELS = torchvision_models()
    torch.use_deterministic_algorithms(True)
    for chosen in arguments.case or CASES:
        try_seeds(chosen, arguments.seeds) if arguments.seeds else make(chosen)
