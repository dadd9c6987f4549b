#!/usr/bin/env python3
"""PyTorch's ways from a folder of photographs to a trained head on a frozen backbone. Prints one line of JSON.

usage: rival_transfer.py WAY NET WEIGHTS DATA [--epochs 10] [--threads 2]
  WAY      make      writes WEIGHTS, random ones; DATA is not read
           tutorial  PyTorch's "Transfer Learning for Computer Vision Tutorial", feature extractor, as it comes:
                     every epoch decodes, augments and runs the frozen network on all pictures
           fastest   the same, channels-last and torch.compile
           block     the last block learns with the head (of resnet50 layer4.2, of mobilenet_v2 features.17 and 18), the
                     rest frozen and without gradients; no augmentation, channels-last, torch.compile, AdamW
           block_fresh  the same with new augmentation in every epoch
           cached    features once (fastest forward pass), then scikit-learn's logistic regression, C by five-fold
                     cross-validation over ten strengths, as `enxerto fit` chooses it
  NET      resnet50 or mobilenet_v2
  WEIGHTS  a state dict of torchvision
  DATA     a folder with train/ and val/
The time is from the first picture to the last figure of validation; imports and loading the weights do not count.
"""
import argparse
import json
import time
from pathlib import Path

import torch

from torchvision_alone import torchvision
from torchvision import transforms
from torchvision.datasets import ImageFolder

MEAN, STD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]


def loaders(data, augment, workers):
    train = [transforms.RandomResizedCrop(224), transforms.RandomHorizontalFlip()] if augment else \
        [transforms.Resize(256), transforms.CenterCrop(224)]
    last = [transforms.ToTensor(), transforms.Normalize(MEAN, STD)]
    sets = {"train": ImageFolder(data / "train", transforms.Compose(train + last)),
            "val": ImageFolder(data / "val", transforms.Compose([transforms.Resize(256), transforms.CenterCrop(224)] +
                                                                last))}
    return {name: torch.utils.data.DataLoader(each, batch_size=32, shuffle=name == "train", num_workers=workers)
            for name, each in sets.items()}


def forward_of(model, fast):
    if not fast:
        return model, lambda images: images
    model = model.to(memory_format=torch.channels_last)
    return torch.compile(model), lambda images: images.contiguous(memory_format=torch.channels_last)


def tutorial(model, data, epochs, fast):
    features, to_format = forward_of(model, fast)
    head = torch.nn.Linear(model.features_out, len(ImageFolder(data / "train").classes))
    optimizer = torch.optim.SGD(head.parameters(), lr=0.001, momentum=0.9)
    loss_of = torch.nn.CrossEntropyLoss()
    best = 0.0
    for _ in range(epochs):
        for split, loader in loaders(data, True, 2).items():
            # As the tutorial has it: model.train() in the phase of training, so batch norm moves.
            model.train(split == "train")
            right = n = 0
            for images, labels in loader:
                with torch.no_grad():
                    rows = features(to_format(images))
                outputs = head(rows)
                right += (outputs.argmax(1) == labels).sum().item()
                n += len(labels)
                if split == "train":
                    optimizer.zero_grad()
                    loss_of(outputs, labels).backward()
                    optimizer.step()
            if split == "val":
                best = max(best, right / n)
    return best


def block(model, data, epochs, augment):
    """What learns is compiled for training, what does not for inference."""
    net = model.net
    if net == "resnet50":
        parts = [model.conv1, model.bn1, model.relu, model.maxpool, model.layer1, model.layer2, model.layer3, *model.layer4[:2]]
        prefix, last = torch.nn.Sequential(*parts), torch.nn.Sequential(model.layer4[2], model.avgpool, torch.nn.Flatten())
    else:
        prefix = torch.nn.Sequential(*model.features[:17])
        last = torch.nn.Sequential(*model.features[17:], torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten())
    suffix = torch.nn.Sequential(last, torch.nn.Linear(model.features_out, len(ImageFolder(data / "train").classes)))
    for parameter in suffix.parameters():
        parameter.requires_grad = True
    prefix, suffix = (each.to(memory_format=torch.channels_last) for each in (prefix.eval(), suffix))
    optimizer = torch.optim.AdamW(suffix.parameters(), lr=3e-4)
    loss_of = torch.nn.CrossEntropyLoss()
    frozen, trained = torch.compile(prefix), torch.compile(suffix)
    best = 0.0
    for _ in range(epochs):
        for split, loader in loaders(data, augment, 2).items():
            suffix.train(split == "train")
            right = n = 0
            for images, labels in loader:
                with torch.no_grad():
                    rows = frozen(images.contiguous(memory_format=torch.channels_last))
                with torch.set_grad_enabled(split == "train"):
                    outputs = trained(rows)
                right += (outputs.argmax(1) == labels).sum().item()
                n += len(labels)
                if split == "train":
                    optimizer.zero_grad()
                    loss_of(outputs, labels).backward()
                    optimizer.step()
            if split == "val":
                best = max(best, right / n)
    return best


def cached(model, data):
    from sklearn.linear_model import LogisticRegressionCV
    from sklearn.preprocessing import StandardScaler
    features, to_format = forward_of(model.eval(), True)
    rows = {}
    for split, loader in loaders(data, False, 2).items():
        with torch.no_grad():
            parts = [(features(to_format(images)), labels) for images, labels in loader]
        rows[split] = [torch.cat(each).numpy() for each in zip(*parts)]
    scaler = StandardScaler().fit(rows["train"][0])
    head = LogisticRegressionCV(Cs=10, cv=5, max_iter=1000, n_jobs=2).fit(scaler.transform(rows["train"][0]), rows["train"][1])
    return head.score(scaler.transform(rows["val"][0]), rows["val"][1])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("way", choices=["make", "tutorial", "fastest", "block", "block_fresh", "cached"])
    parser.add_argument("net", choices=["resnet50", "mobilenet_v2"])
    parser.add_argument("weights")
    parser.add_argument("data", type=Path)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(1)
    model = getattr(torchvision.models, options.net)()
    if options.way == "make":
        torch.save(model.state_dict(), options.weights)
        return
    model.load_state_dict(torch.load(options.weights, weights_only=True))
    if options.net == "resnet50":
        model.features_out, model.fc = model.fc.in_features, torch.nn.Identity()
    else:
        model.features_out, model.classifier = model.classifier[1].in_features, torch.nn.Identity()
    for parameter in model.parameters():
        parameter.requires_grad = False
    model.net = options.net
    began = time.monotonic()
    if options.way.startswith("block"):
        top1 = block(model, options.data, options.epochs, options.way == "block_fresh")
    elif options.way == "cached":
        top1 = cached(model, options.data)
    else:
        top1 = tutorial(model, options.data, options.epochs, options.way == "fastest")
    print(json.dumps({"seconds": time.monotonic() - began, "top1": top1}))


if __name__ == "__main__":
    main()
