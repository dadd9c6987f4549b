#!/usr/bin/env python3
"""The command learns real pictures: top-1 on a test split that it never saw, against the bound that was promised.

usage: learning_test.py ENXERTO DATA_FOLDER (mnist | vehicles)
Exit code 77 where the data are missing: ctest then says that the test was skipped.
"""
import json
import subprocess
import sys
import tempfile
from pathlib import Path

CASES = {
    "mnist": ("mnist", 0.98, ["--net", "lenet5", "--val-fraction", "0.1", "--lr", "0.003", "--shift", "2"]),
    "vehicles": ("photos/vehicles6", 0.75,
                 ["--net", "lecture3", "--size", "96", "--test-fraction", "0.2", "--flip", "--epochs", "4"]),
}


def main():
    program, shared, name = sys.argv[1:]
    folder, least, flags = CASES[name]
    data = Path(shared) / folder
    if not data.is_dir():
        print(f"SKIPPED: {data} is missing: learning from real pictures was NOT tested")
        sys.exit(77)
    with tempfile.TemporaryDirectory() as place:
        run = subprocess.run([program, "train", data, "--out", Path(place) / "run", "--json", "--quiet", *flags],
                             stdout=subprocess.PIPE, check=True, text=True)
    test = json.loads(run.stdout)["test"]
    low, high = test["top1_interval"]
    print(f"{name}: top-1 {test['top1']:.4f} of {test['n']} pictures, 95 % interval {low:.4f} to {high:.4f}, "
          f"at least {least} was promised")
    sys.exit(0 if test["top1"] >= least else 1)


if __name__ == "__main__":
    main()
