#!/usr/bin/env python3
"""`enxerto fit --recipe probe` against PyTorch with a frozen backbone, in turns: how many times as long PyTorch takes.

usage: versus_transfer.py --python VENV/bin/python ENXERTO DATA [--nets mobilenet_v2,resnet50]
                          [--ways tutorial,fastest,cached,block,block_fresh] [--runs 3] [--threads 2] [--out versus_transfer.json]
  DATA  a folder with train/ and val/, such as hymenoptera
`block` and `block_fresh` are against `--recipe finetune --blocks N --epochs 10`, kept features and new augmentation in each
epoch (`--views 0`); the other ways against `--recipe probe`. --bf16 gives ours that flag.

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
TUNING = ["--recipe", "finetune", "--blocks", "BLOCKS", "--epochs", "10"]
OWN = {"our probe": ["--recipe", "probe"], "our block": [*TUNING, "--no-augment"], "our fresh block": [*TUNING, "--views", "0"]}
BLOCKS = {"resnet50": "1", "mobilenet_v2": "2"}  # mobilenet_v2's last convolution counts as one


def own_way(way):
    return {"block": "our block", "block_fresh": "our fresh block"}.get(way, "our probe")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("enxerto")
    parser.add_argument("data", type=Path)
    parser.add_argument("--python", required=True)
    parser.add_argument("--nets", default="mobilenet_v2,resnet50")
    parser.add_argument("--ways", default="tutorial,fastest,cached")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--bf16", action="store_true")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    results = []
    with tempfile.TemporaryDirectory() as folder:
        for net in options.nets.split(","):
            weights = Path(folder) / f"{net}.pth"
            subprocess.run([options.python, str(HERE / "rival_transfer.py"), "make", net, str(weights), "-"], check=True)
            ways = options.ways.split(",")
            seconds = {name: [] for name in [*dict.fromkeys(own_way(way) for way in ways), *ways]}
            for number in range(options.runs):
                for name in seconds:
                    if name in OWN:
                        own = Path(folder) / f"{net}-{name}-{number}"
                        environment = {**os.environ, "ENXERTO_CACHE": str(own / "cache"), "OMP_WAIT_POLICY": "passive"}
                        flags = [flag.replace("BLOCKS", BLOCKS[net]) for flag in OWN[name]]
                        began = time.monotonic()
                        subprocess.run([options.enxerto, "fit", str(options.data), "--weights", str(weights), *flags,
                                        *(["--bf16"] if options.bf16 else []), "--threads", str(options.threads), "--out",
                                        str(own / "run"), "--quiet"], check=True, env=environment, stdout=subprocess.DEVNULL)
                        seconds[name].append(time.monotonic() - began)
                    else:
                        done = subprocess.run([options.python, str(HERE / "rival_transfer.py"), name, net, str(weights),
                                               str(options.data), "--threads", str(options.threads)], check=True,
                                              capture_output=True, text=True)
                        seconds[name].append(json.loads(done.stdout.splitlines()[-1])["seconds"])
            for name in ways:
                ours = statistics.median(seconds[own_way(name)])
                results.append({"net": net, "way": name, "ratio": statistics.median(seconds[name]) / ours,
                                "runs": options.runs, "bf16": options.bf16})
                print(f"{net}, {name}: {results[-1]['ratio']:.2f} times as long", flush=True)
    told = {"chip": chip(), "instructions": widest_instructions(), "threads": options.threads, "results": results}
    print(f"{told['chip']}, {told['instructions']}, {options.threads} threads, median of {options.runs}")
    if options.out:
        options.out.write_text(json.dumps(told, indent=1) + "\n")


if __name__ == "__main__":
    main()
