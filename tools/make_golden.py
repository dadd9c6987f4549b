#!/usr/bin/env python3
"""Makes the golden numbers in tests/golden/: whole networks computed by PyTorch 2.13 in double.

    python3 tools/make_golden.py            # all cases, about a minute
    python3 tools/make_golden.py lenet5     # one of them

Needs torch (CPU) and numpy. Run twice it writes the same bytes. Weights, pictures and labels are functions
of their name by an integer hash that tests/golden_test.cpp has as well, so none of them is stored. Of each
large tensor only its 2-norm and 16 sums with hash-made signs are: the mean square of their differences
estimates the squared 2-norm of the tensors' difference. Printed beside: how far PyTorch's own float is off.
"""
import argparse
import contextlib
import json
import pathlib

import numpy as np
import torch
from torch import nn

from hashed import hashed, uniform

FOLDER = pathlib.Path(__file__).resolve().parent.parent / "tests" / "golden"


def value_of(name, shape):
    """A parameter's start: He for weights, near one for variances. Scales are small and shifts far from zero,
    so that few units lie near the kink of ReLU: one that a rounding error flips costs a sum of gradients more
    than a thousandth. For the same reason shifts before a sum are twice the others."""
    numbers = uniform(name, int(np.prod(shape)))
    if name.endswith("running_var"):
        numbers = np.float32(1.25) + np.float32(0.25) * numbers
    elif len(shape) > 1:
        numbers = np.float32(np.sqrt(6.0 / np.prod(shape[1:]))) * numbers
    elif name.endswith(".weight"):
        numbers = np.float32(0.25) + np.float32(0.0625) * numbers
    elif name.endswith("running_mean"):
        numbers = np.float32(0.125) * numbers
    else:
        size = np.float32(2 if name.endswith("bn2.bias") else 1)
        numbers = np.where(numbers < 0, -size, size) + np.float32(0.125) * numbers
    return torch.from_numpy(numbers.reshape(shape))


def batch_of(case, step):
    """Pictures of 8 x 8 coloured tiles under a little noise. Noise alone looks the same to deep layers,
    and batch norm over nothing but rounding errors has no golden numbers."""
    n, (c, h, w) = case["batch"], case["image"]
    tiles = uniform(f"tiles {case['seed'] + step}", n * c * 64).reshape(n, c, 8, 8)
    noise = uniform(f"noise {case['seed'] + step}", n * c * h * w).reshape(n, c, h, w)
    images = tiles[:, :, np.arange(h) * 8 // h][:, :, :, np.arange(w) * 8 // w] + np.float32(0.125) * noise
    labels = hashed(f"labels {case['seed'] + step}", case["batch"]) % np.uint64(case["classes"])
    return torch.from_numpy(images), torch.from_numpy(labels.astype(np.int64))


def sketch(name, tensor):
    """[2-norm, 16 signed sums]; sign j of element i is bit j of hash i."""
    flat = tensor.detach().double().numpy().ravel()
    bits = hashed("signs " + name, flat.size)
    sums = [float(np.where((bits >> np.uint64(j)) & np.uint64(1), flat, -flat).sum()) for j in range(16)]
    return [rounded(x) for x in [float(np.linalg.norm(flat)), *sums]]


@contextlib.contextmanager
def watched_kinks(margins):
    """Appends to margins how near the nearest unit comes to a kink: to zero before ReLU, to the second
    largest in max pooling, as a share of the root mean square."""
    relu, max_pool2d = torch.Tensor.relu, nn.functional.max_pool2d

    def watched_relu(x):
        margins.append((x.abs().min() / x.square().mean().sqrt()).item())
        return relu(x)

    def watched_max_pool2d(x, size, stride=None, padding=0):
        windows = nn.functional.unfold(x.flatten(0, 1)[:, None], size, padding=padding, stride=stride or size)
        first, second = windows.topk(2, dim=1).values.unbind(1)
        gaps = (first - second)[first > 0]  # all of them zero: no gradient passes ReLU anyway
        margins.append((gaps[gaps > 0].min() / x.square().mean().sqrt()).item())
        return max_pool2d(x, size, stride, padding)

    torch.Tensor.relu, nn.functional.max_pool2d = watched_relu, watched_max_pool2d
    try:
        yield
    finally:
        torch.Tensor.relu, nn.functional.max_pool2d = relu, max_pool2d


def rounded(x):
    return float(f"{x:.8g}")


class Lecture3(nn.Module):
    def __init__(self, image, classes):
        super().__init__()
        self.conv1 = nn.Conv2d(image[0], 32, 3, padding=1)
        self.conv2 = nn.Conv2d(32, 64, 3, padding=1)
        self.conv3 = nn.Conv2d(64, 64, 3, padding=1)
        self.fc = nn.Linear(64 * (image[1] // 4) * (image[2] // 4), classes)

    def forward(self, x):
        x = nn.functional.max_pool2d(self.conv1(x).relu(), 2)
        x = nn.functional.max_pool2d(self.conv2(x).relu(), 2)
        return self.fc(self.conv3(x).relu().flatten(1))


class LeNet5(nn.Module):
    def __init__(self, image, classes):
        super().__init__()
        self.conv1 = nn.Conv2d(image[0], 6, 5, padding=2)
        self.conv2 = nn.Conv2d(6, 16, 5)
        self.fc1, self.fc2, self.fc3 = nn.Linear(400, 120), nn.Linear(120, 84), nn.Linear(84, classes)

    def forward(self, x):
        x = nn.functional.max_pool2d(self.conv1(x).relu(), 2)
        x = nn.functional.max_pool2d(self.conv2(x).relu(), 2)
        return self.fc3(self.fc2(self.fc1(x.flatten(1)).relu()).relu())


class BasicBlock(nn.Module):
    def __init__(self, inputs, channels, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, channels, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.downsample = nn.Sequential()
        if stride > 1 or inputs != channels:
            self.downsample = nn.Sequential(nn.Conv2d(inputs, channels, 1, stride, bias=False),
                                            nn.BatchNorm2d(channels))

    def forward(self, x):
        branch = self.bn2(self.conv2(self.bn1(self.conv1(x)).relu()))
        return (branch + self.downsample(x)).relu()


class ResNet18(nn.Module):
    def __init__(self, image, classes):
        super().__init__()
        self.conv1 = nn.Conv2d(image[0], 64, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        inputs = 64
        for stage in range(4):
            channels = 64 << stage
            setattr(self, f"layer{stage + 1}",
                    nn.Sequential(BasicBlock(inputs, channels, 2 if stage else 1),
                                  BasicBlock(channels, channels, 1)))
            inputs = channels
        self.fc = nn.Linear(512, classes)

    def forward(self, x):
        x = nn.functional.max_pool2d(self.bn1(self.conv1(x)).relu(), 3, 2, 1)
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return self.fc(x.mean((2, 3)))


NETS = {"lecture3": Lecture3, "lenet5": LeNet5, "resnet18": ResNet18}
# The seeds are those of many whose nearest kink is farthest away: above 5e-6, where kernels in float err by
# 1e-6 and less. Among the 4 million units of the large pictures there is no such seed, hence no gradients.
CASES = {
    "lecture3": dict(net="lecture3", image=[3, 96, 96], batch=2, classes=6, seed=53900, lr=0.002, steps=10),
    "lenet5": dict(net="lenet5", image=[1, 28, 28], batch=8, classes=10, seed=49400, lr=0.01, steps=10),
    "resnet18": dict(net="resnet18", image=[3, 64, 64], batch=4, classes=10, seed=6400, lr=0.0001, steps=10),
    "resnet18_224": dict(net="resnet18", image=[3, 224, 224], batch=2, classes=1000, seed=0, lr=0.0001,
                         steps=1, gradients=False),
}
MOMENTUM, WEIGHT_DECAY = 0.9, 1e-4


def run(case, dtype):
    """Every number of a case, computed in this type."""
    net = NETS[case["net"]](case["image"], case["classes"])
    net.load_state_dict({name: value_of(name, tensor.shape) if tensor.ndim else tensor
                         for name, tensor in net.state_dict().items()})
    net = net.to(dtype)
    result = {}
    images, labels = batch_of(case, 0)
    with torch.no_grad():
        result["inference_logits"] = net.eval()(images.to(dtype))
    net.train()
    # Weight decay is for weights, not for biases and batch norm.
    groups = [dict(params=[p for p in net.parameters() if p.ndim > 1], weight_decay=WEIGHT_DECAY),
              dict(params=[p for p in net.parameters() if p.ndim == 1], weight_decay=0.0)]
    sgd = torch.optim.SGD(groups, lr=case["lr"], momentum=MOMENTUM)
    losses, margins = [], []
    for step in range(case["steps"]):
        images, labels = batch_of(case, step)
        sgd.zero_grad()
        with watched_kinks(margins) if step == 0 else contextlib.nullcontext():
            logits = net(images.to(dtype))
        loss = nn.functional.cross_entropy(logits, labels)
        loss.backward()
        losses.append(loss.item())
        if step == 0:
            result["training_logits"] = logits.detach()
            result["gradients"] = {name: p.grad.clone() for name, p in net.named_parameters()}
            result["statistics"] = {name: b.clone() for name, b in net.named_buffers() if b.ndim}
        sgd.step()
    return result | {"losses": losses, "margin": min(margins)}


def relative(a, b):
    return ((a - b).norm() / b.norm()).item()


def make(name):
    case = CASES[name]
    double, single = run(case, torch.float64), run(case, torch.float32)
    print(f"{name}: loss {double['losses'][0]:.4f} to {double['losses'][-1]:.4f}; float is off by",
          f"{relative(single['inference_logits'].double(), double['inference_logits']):.1e} (logits),",
          f"{max(relative(single['gradients'][k].double(), v) for k, v in double['gradients'].items()):.1e}",
          "(worst gradient),",
          f"{max(abs(a / b - 1) for a, b in zip(single['losses'], double['losses'])):.1e} (worst loss)")
    golden = {"made_by": f"tools/make_golden.py with PyTorch {torch.__version__.split('+')[0]}",
              **case, "momentum": MOMENTUM, "weight_decay": WEIGHT_DECAY}
    for key in ("inference_logits", "training_logits"):
        golden[key] = [rounded(x) for x in double[key].flatten().tolist()]
    golden["losses"] = [rounded(x) for x in double["losses"]]
    for key in ("gradients", "statistics"):
        golden[key] = {k: sketch(k, v) for k, v in double[key].items()}
    if not case.get("gradients", True):
        golden["gradients"] = {}
    text = "{\n" + ",\n".join(
        f" {json.dumps(key)}: " + (json.dumps(value) if not isinstance(value, dict) else "{\n" + ",\n".join(
            f"  {json.dumps(k)}: {json.dumps(v)}" for k, v in value.items()) + "}")
        for key, value in golden.items()) + "\n}\n"
    FOLDER.mkdir(parents=True, exist_ok=True)
    (FOLDER / f"{name}.json").write_text(text)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("case", nargs="*", choices=[*CASES, []], help="one of " + ", ".join(CASES))
    torch.use_deterministic_algorithms(True)
    for chosen in parser.parse_args().case or CASES:
        make(chosen)
