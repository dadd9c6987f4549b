#!/usr/bin/env python3
"""Top-1 and top-5 of the published weights on the 50 photographs of imagenet_check, computed without Enxerto: the
networks written a second time with PyTorch's functions, pictures decoded and resized by Pillow. What
tests/pretrained/photos_test.py measures has to be the same, up to a photograph on the fence.

usage: reference_photos.py ../shared/data      (needs torch, pillow, safetensors, h5py)
"""
import sys
from pathlib import Path

import h5py
import numpy as np
import torch
from PIL import Image
from safetensors.torch import load_file
from torch.nn import functional as f


def prepared(path, size, cover):
    """The short side resized to `cover`, the middle size x size cut out, {1, 3, size, size} in 0..255."""
    picture = Image.open(path).convert("RGB")
    w, h = picture.size
    w, h = (cover, h * cover // w) if w <= h else (w * cover // h, cover)
    picture = picture.resize((w, h), Image.BILINEAR)
    left, top = round((w - size) / 2), round((h - size) / 2)
    picture = picture.crop((left, top, left + size, top + size))
    return torch.from_numpy(np.asarray(picture).copy()).permute(2, 0, 1)[None].float()


def squeezenet(minor):
    def run(weights, x):
        def conv(name, x, **how):
            return f.relu(f.conv2d(x, weights[name + ".weight"], weights[name + ".bias"], **how))

        x = f.max_pool2d(conv("conv1", x, stride=2), 3, 2, ceil_mode=True)
        for fire in range(2, 10):
            squeezed = conv(f"fire{fire}/squeeze1x1", x)
            x = torch.cat([conv(f"fire{fire}/expand1x1", squeezed),
                           conv(f"fire{fire}/expand3x3", squeezed, padding=1)], 1)
            if fire in ((4, 8) if minor == 0 else (3, 5)):
                x = f.max_pool2d(x, 3, 2, ceil_mode=True)
        return conv("conv10", x, padding=1 - minor).mean((2, 3))

    return run


def batch_norm(weights, name, x):
    return f.batch_norm(x, weights[name + "/moving_mean"], weights[name + "/moving_variance"], weights[name + "/gamma"],
                        weights[name + "/beta"], eps=1e-3)


def darknet(weights, x):
    for i in range(1, 16):
        kernel = weights[f"conv2d_{i}/kernel"].permute(3, 2, 0, 1)
        x = batch_norm(weights, f"batch_normalization_{i}", f.conv2d(x, kernel, padding=kernel.shape[-1] // 2))
        x = f.leaky_relu(x, 0.1)
        if i in (1, 2, 6, 10):
            x = f.max_pool2d(x, 2, 2)
    return f.conv2d(x, weights["conv2d_16/kernel"].permute(3, 2, 0, 1), weights["conv2d_16/bias"]).mean((2, 3))


def mobilenet(weights, x):
    x = f.conv2d(f.pad(x, (0, 1, 0, 1)), weights["conv1/kernel"].permute(3, 2, 0, 1), stride=2)
    x = f.relu6(batch_norm(weights, "conv1_bn", x))
    for i in range(1, 14):
        kernel = weights[f"conv_dw_{i}/depthwise_kernel"].permute(2, 3, 0, 1)
        halves = i in (2, 4, 6, 12)
        x = f.conv2d(f.pad(x, (0, 1, 0, 1) if halves else (1, 1, 1, 1)), kernel, stride=2 if halves else 1,
                     groups=kernel.shape[0])
        x = f.relu6(batch_norm(weights, f"conv_dw_{i}_bn", x))
        x = f.conv2d(x, weights[f"conv_pw_{i}/kernel"].permute(3, 2, 0, 1))
        x = f.relu6(batch_norm(weights, f"conv_pw_{i}_bn", x))
    x = x.mean((2, 3), keepdim=True)
    return f.conv2d(x, weights["conv_preds/kernel"].permute(3, 2, 0, 1), weights["conv_preds/bias"]).flatten(1)


def load_h5(path):
    weights = {}

    def take(name, item):
        if isinstance(item, h5py.Dataset):
            weights["/".join(name.split("/")[-2:]).removesuffix(":0")] = torch.from_numpy(item[()])

    h5py.File(path)["model_weights"].visititems(take)
    return weights


def main():
    data = Path(sys.argv[1])
    ids = [line.split("\t")[1] for line in (data / "reference/imagenet_classes.tsv").read_text().splitlines()]
    files = data / "weights/safetensors"
    caffe = lambda x: x.flip(1) - torch.tensor([104.0, 117, 123]).view(1, 3, 1, 1)
    half = lambda x: x / 127.5 - 1
    for name, weights, run, size, cover, scale, order in [
        ("squeezenet1_0", load_file(files / "squeezenet1_0_imagenet_caffe.safetensors"), squeezenet(0), 227, 256, caffe, ids),
        ("squeezenet1_1", load_file(files / "squeezenet1_1_imagenet.safetensors"), squeezenet(1), 227, 256, caffe, ids),
        ("darknet_tiny", load_file(files / "darknet_tiny_imagenet.safetensors"), darknet, 224, 256, lambda x: x / 255,
         (files / "darknet_tiny_imagenet.labels.txt").read_text().split()),
        ("mobilenet_v1_0.25 224", load_file(files / "mobilenet_v1_0.25_224_imagenet.safetensors"), mobilenet, 224, 256,
         half, ids),
        ("mobilenet_v1_0.25 128", load_h5(data / "weights/h5/mobilenet_v1_0.25_128_imagenet_keras.h5"), mobilenet, 128,
         146, half, ids),
    ]:
        right = right5 = photos = 0
        for path in sorted((data / "photos/imagenet_check").glob("*.JPEG")):
            with torch.no_grad():
                best = run(weights, scale(prepared(path, size, cover)))[0].topk(5).indices.tolist()
            wnid = path.name.split("_")[0]
            guesses = [order[i] for i in best]
            photos, right, right5 = photos + 1, right + (guesses[0] == wnid), right5 + (wnid in guesses)
        print(f"{name}: {100 * right / photos:.0f} / {100 * right5 / photos:.0f}", flush=True)


main()
