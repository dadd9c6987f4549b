#!/usr/bin/env python3
"""bench_pictures against Pillow with torchvision, OpenCV and PyTorch's DataLoader, in turns.

Goes round: ours, then each rival, one process at a time, so that whatever slows the machine down slows all
alike; each process times itself, without its start. Compares the medians of images per second.

usage: versus_pictures.py --python VENV/bin/python PHOTOS [--large] [--runs 5] [--out versus_pictures.json]

PHOTOS: a folder of photos, for instance ../shared/data/photos/hymenoptera (about 500x375).
--large: makes some photos of 12 megapixels out of PHOTOS first (enlarged, with grain, quality 90, 4:2:0) and
         measures these instead. The Python needs torch, torchvision, pillow, opencv-python-headless.
"""
import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from versus_torch import chip, parse_with_ours, widest_instructions

HERE = Path(__file__).resolve().parent
MAKE_LARGE = """
import sys
from pathlib import Path
from PIL import Image
source, out = Path(sys.argv[1]), Path(sys.argv[2])
paths = sorted(path for path in source.rglob('*') if path.suffix.lower() in ('.jpg', '.jpeg'))[:24]
for number, path in enumerate(paths):
    picture = Image.open(path).convert('RGB').resize((4000, 3000), Image.Resampling.LANCZOS)
    grain = Image.effect_noise((4000, 3000), 12).convert('RGB')
    (out / 'all').mkdir(exist_ok=True)
    Image.blend(picture, grain, 0.15).save(out / 'all' / f'{number:02}.jpg', quality=90, subsampling=2)
"""


def comparisons(large):
    """(title, task, threads, our flags, rivals) of what is measured."""
    if large:
        return [("12 megapixels, fast", "prepare", 1, ["--decode", "fast"],
                 ["torchvision", "torchvision_draft", "opencv_reduced"]),
                ("12 megapixels, exact", "prepare", 1, [], ["torchvision", "opencv_area"])]
    return [("decoding alone", "decode", 1, [], ["torchvision", "opencv"]),
            ("prepare, exact", "prepare", 1, [], ["torchvision", "opencv", "opencv_area"]),
            ("prepare, fast", "prepare", 1, ["--decode", "fast"], ["torchvision", "torchvision_draft"]),
            ("an epoch from disk", "epoch", 2, [], ["dataloader"])]


def run(command):
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} ended with code {done.returncode}")
    return json.loads(done.stdout.splitlines()[-1])


def compare(options, folder, title, task, threads, flags, rivals):
    common = [task, str(folder), "--threads", str(threads), "--seconds", str(options.seconds)]
    contenders = {"enxerto": [str(options.ours), *common, *flags]}
    for rival in rivals:
        contenders[rival] = [options.python, str(HERE / "rival_pictures.py"), rival, *common]
    rates = {name: [] for name in contenders}
    peaks = {}
    for _ in range(options.runs):
        for name, command in contenders.items():
            result = run(command)
            rates[name].append(result["images"] / result["seconds"])
            peaks[name] = result["peak_memory_bytes"]
    ours = statistics.median(rates["enxerto"])
    rows = [{"name": name, "images_per_second": statistics.median(each), "all": each,
             "ours_by_this": ours / statistics.median(each), "peak_bytes": peaks[name]}
            for name, each in rates.items()]
    print(f"\n{title}: {task}, {threads} thread{'s' if threads > 1 else ''}, median of {options.runs} in turns; "
          f"{chip()} ({widest_instructions()})")
    print(f"{'':20} {'images/s':>10} {'least':>10} {'most':>10} {'ours/this':>10} {'peak MB':>9}")
    for row in rows:
        print(f"{row['name']:20} {row['images_per_second']:10.1f} {min(row['all']):10.1f} {max(row['all']):10.1f} "
              f"{row['ours_by_this']:9.2f}x {row['peak_bytes'] / 1e6:9.0f}", flush=True)
    return {"title": title, "task": task, "threads": threads, "flags": flags, "rows": rows}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos", type=Path)
    parser.add_argument("--python", default=sys.executable, help="a Python that has the rivals")
    parser.add_argument("--large", action="store_true", help="photos of 12 megapixels")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3, help="the least that a turn takes")
    parser.add_argument("--out", type=Path, help="a JSON file for all that was measured")
    options = parse_with_ours(parser, "bench_pictures")
    with tempfile.TemporaryDirectory() as made:
        folder = options.photos
        if options.large:
            folder = Path(made)
            subprocess.run([options.python, "-c", MAKE_LARGE, str(options.photos), made], check=True)
        results = [compare(options, folder, *each) for each in comparisons(options.large)]
    if options.out:
        report = {"chip": chip(), "widest_instructions": widest_instructions(), "cores": os.cpu_count(),
                  "results": results}
        options.out.write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
