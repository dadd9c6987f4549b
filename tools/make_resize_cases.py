#!/usr/bin/env python3
"""What Pillow makes of pictures that are resized, for enxerto/image/resize_test.cpp: tests/files/resize/cases.json and
expected.bin, the pixels of all cases one after the other. The pictures come from a formula that the test has too.

usage: make_resize_cases.py (with Pillow)
"""
import json
from pathlib import Path

import PIL
from PIL import Image

# width, height, channels, width and height afterwards, part (None: all of it)
SHAPES = [
    (97, 61, 3, 32, 32, None),
    (97, 61, 3, 31, 20, None),
    (97, 61, 1, 33, 21, None),
    (40, 50, 1, 40, 13, None),
    (40, 50, 3, 7, 50, None),
    (13, 9, 3, 40, 31, None),
    (13, 9, 1, 29, 50, None),
    (150, 110, 3, 9, 7, None),
    (150, 110, 1, 9, 7, None),
    (500, 333, 3, 12, 8, None),
    (37, 23, 3, 36, 22, None),
    (37, 23, 3, 38, 24, None),
    (37, 23, 1, 37, 23, (0.5, 0.25, 36.5, 22.75)),
    (97, 61, 3, 32, 24, (10, 5, 73, 60)),
    (97, 61, 3, 21, 24, (12.3, 0, 97, 7.7)),
    (97, 61, 1, 24, 21, (0.25, 50.5, 3.75, 60.75)),
    (97, 61, 3, 50, 40, (40, 30, 44, 33)),
    (1, 1, 3, 5, 4, None),
    (5, 3, 3, 1, 1, None),
    (1, 40, 3, 3, 17, None),
    (40, 1, 1, 17, 3, None),
    (2, 2, 3, 11, 11, None),
    (700, 3, 3, 40, 2, None),
    (3, 700, 1, 2, 40, None),
    (3, 700, 3, 30, 12, None),
    (30, 40, 3, 22, 23, None),
    (30, 40, 3, 22, 24, None),
    (30, 40, 1, 31, 39, None),
    (30, 40, 1, 31, 41, None),
    (30, 40, 3, 15, 15, (4.5, 10, 25, 31.5)),
    (30, 40, 3, 15, 9, (4.5, 10, 25, 31.5)),
]
FILTERS = {"bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC, "lanczos": Image.Resampling.LANCZOS}


def pixel(pattern, x, y, k):
    if pattern == "stripes":  # black and white, so that the filters overshoot
        return 255 if (x // 3 + y // 2 + k) % 2 else 0
    return (x * x * 3 + y * y * 5 + x * y * 7 + k * 97 + (x * 31 ^ y * 17)) & 255


def picture(pattern, width, height, channels):
    values = bytes(pixel(pattern, x, y, k) for y in range(height) for x in range(width) for k in range(channels))
    return Image.frombytes("RGB" if channels == 3 else "L", (width, height), values)


def main():
    cases, expected = [], b""
    for number, (width, height, channels, out_width, out_height, part) in enumerate(SHAPES):
        pattern = "stripes" if number % 3 == 2 else "noise"
        image = picture(pattern, width, height, channels)
        for name, resample in FILTERS.items():
            expected += image.resize((out_width, out_height), resample, part).tobytes()
            cases.append({"pattern": pattern, "width": width, "height": height, "channels": channels, "filter": name,
                          "out": [out_width, out_height], "part": part or [0, 0, width, height]})
    folder = Path(__file__).resolve().parent.parent / "tests/files/resize"
    folder.mkdir(parents=True, exist_ok=True)
    lines = ",\n".join("  " + json.dumps(case) for case in cases)
    (folder / "cases.json").write_text('{"made_by": "tools/make_resize_cases.py with Pillow %s",\n "cases": [\n%s\n]}\n'
                                       % (PIL.__version__, lines))
    (folder / "expected.bin").write_bytes(expected)


if __name__ == "__main__":
    main()
