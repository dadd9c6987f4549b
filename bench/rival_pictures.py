#!/usr/bin/env python3
"""The other programs' side of bench_pictures: the same task over the same photos, the same line of JSON.

usage: rival_pictures.py PROGRAM (decode|prepare|epoch) FOLDER [--threads 1] [--seconds 3]

PROGRAM:
  torchvision        Pillow, then torchvision's Resize(256), CenterCrop(224), ToTensor, Normalize
  torchvision_draft  the same, but Pillow may decode at a reduced size (Image.draft)
  opencv             imread, INTER_LINEAR, which is not antialiased, then numpy
  opencv_area        the same with INTER_AREA, which is
  opencv_reduced     imread at the smallest reduced size that suffices, then INTER_AREA
  dataloader         epoch only: torch's DataLoader over the torchvision transforms, --threads workers
decode and prepare are one thread's work. An epoch is every photo once, in batches of 32, shuffled.
"""
import argparse
import json
import resource
import sys
import time
from pathlib import Path

SHORT_SIDE, SIZE = 256, 224
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def photos_of(folder):
    endings = (".jpg", ".jpeg", ".png")
    return sorted(str(path) for path in Path(folder).rglob("*") if path.suffix.lower() in endings)


def torchvision_transforms():
    import torch
    for name in ("nms", "qnms"):  # torchvision without its compiled part wants these to exist
        try:
            torch.library.define(f"torchvision::{name}", "(Tensor a, Tensor b, float c) -> Tensor")
        except RuntimeError:
            pass
    from torchvision import transforms
    return transforms.Compose([transforms.Resize(SHORT_SIDE), transforms.CenterCrop(SIZE), transforms.ToTensor(),
                               transforms.Normalize(MEAN, STD)])


def with_pillow(draft):
    from PIL import Image

    def decode(path):
        picture = Image.open(path)
        if draft:
            picture.draft("RGB", (SHORT_SIDE, SHORT_SIDE))
        return picture.convert("RGB")

    transforms = torchvision_transforms()
    return decode, lambda path: transforms(decode(path))


def with_opencv(interpolation, reduced):
    import cv2
    import numpy
    cv2.setNumThreads(1)
    mean = numpy.array(MEAN, numpy.float32) * 255
    factor = 1 / (numpy.array(STD, numpy.float32) * 255)

    def decode(path):
        if not reduced:
            return cv2.imread(path, cv2.IMREAD_COLOR)
        from PIL import Image
        with Image.open(path) as picture:  # the header only
            short = min(picture.size)
        flag = cv2.IMREAD_COLOR
        for by, its_flag in ((2, cv2.IMREAD_REDUCED_COLOR_2), (4, cv2.IMREAD_REDUCED_COLOR_4),
                             (8, cv2.IMREAD_REDUCED_COLOR_8)):
            if short // by >= SHORT_SIDE:
                flag = its_flag
        return cv2.imread(path, flag)

    def prepare(path):
        picture = decode(path)
        height, width = picture.shape[:2]
        short = min(height, width)
        picture = cv2.resize(picture, (width * SHORT_SIDE // short, height * SHORT_SIDE // short),
                             interpolation=getattr(cv2, interpolation))
        top, left = (picture.shape[0] - SIZE) // 2, (picture.shape[1] - SIZE) // 2
        picture = cv2.cvtColor(picture[top:top + SIZE, left:left + SIZE], cv2.COLOR_BGR2RGB)
        return numpy.ascontiguousarray(((picture.astype(numpy.float32) - mean) * factor).transpose(2, 0, 1))

    return decode, prepare


PROGRAMS = {
    "torchvision": lambda: with_pillow(False),
    "torchvision_draft": lambda: with_pillow(True),
    "opencv": lambda: with_opencv("INTER_LINEAR", False),
    "opencv_area": lambda: with_opencv("INTER_AREA", False),
    "opencv_reduced": lambda: with_opencv("INTER_AREA", True),
}


class Photos:
    """A torch Dataset of the floats of each photo."""

    def __init__(self, paths):
        self.paths, self.prepare = paths, None

    def __len__(self):
        return len(self.paths)

    def __getitem__(self, index):
        if self.prepare is None:  # in the worker, whose torch has one thread
            self.prepare = with_pillow(False)[1]
        return self.prepare(self.paths[index]), index


def dataloader_epoch(paths, workers):
    import torch
    torchvision_transforms()  # imported once, before the workers are forked
    loader = torch.utils.data.DataLoader(Photos(paths), batch_size=32, shuffle=True, num_workers=workers,
                                         persistent_workers=True)
    batches = iter(loader)
    next(batches)  # the workers are up; this epoch is not the one that counts
    for _ in batches:
        pass
    start = time.perf_counter()
    for _ in loader:
        pass
    return len(paths), time.perf_counter() - start


def one_by_one(action, paths, least):
    """Rounds over the photos until `least` seconds have passed, after a short start that does not count."""
    for path in paths[:8]:
        action(path)
    start, done = time.perf_counter(), 0
    while True:
        for path in paths:
            action(path)
            done += 1
            passed = time.perf_counter() - start
            if passed >= least:
                return done, passed


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program", choices=(*PROGRAMS, "dataloader"))
    parser.add_argument("task", choices=("decode", "prepare", "epoch"))
    parser.add_argument("folder")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=3)
    options = parser.parse_args()
    paths = photos_of(options.folder)
    if not paths:
        sys.exit(f"{options.folder}: no photos")
    if (options.program == "dataloader") != (options.task == "epoch"):
        parser.error("epoch is the DataLoader's task, and its only one")
    if options.task == "epoch":
        images, seconds = dataloader_epoch(paths, options.threads)
    else:
        decode, prepare = PROGRAMS[options.program]()
        if options.program.startswith("torchvision"):
            import torch
            torch.set_num_threads(1)
        images, seconds = one_by_one(decode if options.task == "decode" else prepare, paths, options.seconds)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(json.dumps({"task": options.task, "images": images, "seconds": seconds, "threads": options.threads,
                      "peak_memory_bytes": peak}))


if __name__ == "__main__":
    main()
