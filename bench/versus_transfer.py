#!/usr/bin/env python3
"""`enxerto fit --recipe probe` against PyTorch with a frozen backbone, in turns: how many times as long PyTorch takes.

usage: versus_transfer.py --python VENV/bin/python ENXERTO DATA [--nets mobilenet_v2,resnet50]
                          [--ways tutorial,fastest,cached] [--runs 3] [--threads 2] [--out versus_transfer.json]
  DATA  a folder with train/ and val/, such as hymenoptera

The Python needs torch, torchvision and, for `cached`, scikit-learn. The weights are torchvision's random ones, the same
file for both: time does not depend on what they are. Ours is the whole command from its start, with an empty cache of
features, its check of the pictures, the model and the report.
"""
import argparse
import json
import os
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

from versus_torch import chip, widest_instructions

HERE = Path(__file__).resolve().parent


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("enxerto")
    parser.add_argument("data", type=Path)
    parser.add_argument("--python", required=True)
    parser.add_argument("--nets", default="mobilenet_v2,resnet50")
    parser.add_argument("--ways", default="tutorial,fastest,cached")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    results = []
    with tempfile.TemporaryDirectory() as folder:
        for net in options.nets.split(","):
            weights = Path(folder) / f"{net}.pth"
            subprocess.run([options.python, str(HERE / "rival_transfer.py"), "make", net, str(weights), "-"], check=True)
            seconds = {name: [] for name in ["enxerto", *options.ways.split(",")]}
            for number in range(options.runs):
                for name in seconds:
                    if name == "enxerto":
                        own = Path(folder) / f"{net}{number}"
                        environment = {**os.environ, "ENXERTO_CACHE": str(own / "cache"), "OMP_WAIT_POLICY": "passive"}
                        began = time.monotonic()
                        subprocess.run([options.enxerto, "fit", str(options.data), "--weights", str(weights), "--recipe",
                                        "probe", "--threads", str(options.threads), "--out", str(own / "run"), "--quiet"],
                                       check=True, env=environment, stdout=subprocess.DEVNULL)
                        seconds[name].append(time.monotonic() - began)
                    else:
                        done = subprocess.run([options.python, str(HERE / "rival_transfer.py"), name, net, str(weights),
                                               str(options.data), "--threads", str(options.threads)], check=True,
                                              capture_output=True, text=True)
                        seconds[name].append(json.loads(done.stdout.splitlines()[-1])["seconds"])
            ours = statistics.median(seconds["enxerto"])
            for name in options.ways.split(","):
                results.append({"net": net, "way": name, "ratio": statistics.median(seconds[name]) / ours,
                                "runs": options.runs})
                print(f"{net}, {name}: {results[-1]['ratio']:.2f} times as long", flush=True)
    told = {"chip": chip(), "instructions": widest_instructions(), "threads": options.threads, "results": results}
    print(f"{told['chip']}, {told['instructions']}, {options.threads} threads, median of {options.runs}")
    if options.out:
        options.out.write_text(json.dumps(told, indent=1) + "\n")


if __name__ == "__main__":
    main()
