#!/usr/bin/env python3
"""Makes tests/files/augment: what torchvision, on Pillow, makes of small pictures.

usage: make_augment_cases.py [FOLDER]     (torchvision, Pillow and NumPy; /work/py/torch/bin/python has them)

cases.txt lists the cases in order, one a line: operation, value, and how close we have to come. The results
stand one below the other in colour_expected.png and grey_expected.png.
"""
import math
import sys
from pathlib import Path

import numpy
import torch
from PIL import Image

# torchvision without its compiled part: importing it wants these operators to be known.
library = torch.library.Library("torchvision", "DEF")
for operator in ["nms", "qnms"]:
    library.define(f"{operator}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
from torchvision.transforms import InterpolationMode  # noqa: E402
from torchvision.transforms import functional as F  # noqa: E402

FILL = 77
BILINEAR = InterpolationMode.BILINEAR


def picture(height, width, channels, seed):
    """Slopes, flat saturated patches, noise, and one column each of black and white."""
    rng = numpy.random.default_rng(seed)
    y, x = numpy.mgrid[0:height, 0:width]
    planes = []
    for c in range(channels):
        plane = 30 + 150 * (x * (c + 1) % width) / width + 60 * (y * (3 - c) % height) / height
        plane = plane + rng.normal(0, 8, plane.shape)
        plane[2:8, 3:9] = [250, 10, 120][c]
        plane[height - 8:height - 3, 4:10] = [20, 200, 200][c]
        plane[3:9, width - 8:width - 3] = 128
        planes.append(plane)
    out = numpy.stack(planes, -1)
    out[9:14, 6:14] = rng.integers(0, 256, (5, 8, channels))
    out[:, 0], out[:, width - 1] = 0, 255
    out = numpy.clip(out, 0, 255).astype(numpy.uint8)
    return Image.fromarray(out[:, :, 0] if channels == 1 else out)


def shear(image, x, y):
    return F.affine(image, 0.0, [0, 0], 1.0, [math.degrees(math.atan(x)), math.degrees(math.atan(y))], BILINEAR,
                    [FILL], [0, 0])


OPERATIONS = {
    "brightness": (F.adjust_brightness, [0, 0.37, 1, 1.6, 5], "exact"),
    "contrast": (F.adjust_contrast, [0, 0.5, 1, 1.3, 4], "exact"),
    "saturation": (F.adjust_saturation, [0, 0.42, 1, 1.9], "exact"),
    "sharpness": (F.adjust_sharpness, [0, 0.1, 1, 1.9], "exact"),
    "hue": (F.adjust_hue, [-0.5, -0.1, 0, 0.07, 0.3, 0.5], "exact"),
    "posterize": (lambda image, value: F.posterize(image, int(value)), [1, 2, 4, 7, 8], "exact"),
    "solarize": (F.solarize, [0, 100.5, 128, 255], "exact"),
    "autocontrast": (lambda image, _: F.autocontrast(image), [0], "exact"),
    "equalize": (lambda image, _: F.equalize(image), [0], "exact"),
    "rotate": (lambda image, value: F.rotate(image, value, BILINEAR, fill=[FILL]), [-170, -33.3, -4, 0, 17.5, 90],
               "near"),
    "shear_x": (lambda image, value: shear(image, value, 0), [-0.9, -0.13, 0.21], "near"),
    "shear_y": (lambda image, value: shear(image, 0, value), [-0.4, 0.05, 0.87], "near"),
    "translate_x": (lambda image, value: F.affine(image, 0.0, [int(value), 0], 1.0, [0.0, 0.0], BILINEAR, [FILL]),
                    [-3, 5, 40], "exact"),
    "translate_y": (lambda image, value: F.affine(image, 0.0, [0, int(value)], 1.0, [0.0, 0.0], BILINEAR, [FILL]),
                    [-7, 2], "exact"),
}


def main():
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else "tests/files/augment")
    folder.mkdir(parents=True, exist_ok=True)
    cases = [(name, value, close) for name, (_, values, close) in OPERATIONS.items() for value in values]
    inputs = {"colour": picture(29, 37, 3, 1), "grey": picture(23, 31, 1, 2)}
    for name, image in inputs.items():
        if name == "colour":  # autocontrast has nothing to do where a channel has both ends
            image = Image.eval(image, lambda value: 20 + value * 4 // 5)
            inputs[name] = image
        image.save(folder / f"{name}.png", optimize=True)
    for name, image in inputs.items():
        results = [numpy.asarray(OPERATIONS[operation][0](image, value)) for operation, value, _ in cases]
        Image.fromarray(numpy.concatenate(results)).save(folder / f"{name}_expected.png", optimize=True)
    (folder / "cases.txt").write_text("".join(" ".join(map(str, case)) + "\n" for case in cases))


if __name__ == "__main__":
    main()
