#!/usr/bin/env python3
"""By which distance are pictures alike? Of each picture's nearest others, the share that has its label.

usage: nearest_metric.py ENXERTO PHOTOS [--weights FILE] [--sets NAME,...] [--k N]
  ENXERTO  the command
  PHOTOS   the developers' photographs, a folder for each set

Needs NumPy. Features are those of `enxerto extract PHOTOS/SET --weights FILE`; all pictures of a set, its splits
together. Prints a table in Markdown.
"""
import argparse
import subprocess
import tempfile
from pathlib import Path

import numpy as np


def agreement(distances, labels, k):
    np.fill_diagonal(distances, np.inf)
    nearest = np.argsort(distances, axis=1, kind="stable")[:, :k]
    return (labels[nearest] == labels[:, None]).mean()


def euclidean(rows):
    squares = (rows * rows).sum(1)
    return squares[:, None] + squares[None] - 2 * rows @ rows.T


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("enxerto", type=Path)
    parser.add_argument("photos", type=Path)
    parser.add_argument("--weights", default="builtin")
    parser.add_argument("--sets", default="hymenoptera,flowers5,trashnet6,clothing10")
    parser.add_argument("--k", type=int, default=5)
    asked = parser.parse_args()
    print("| | pictures | cosine | Euclidean | standardised |\n|---|---|---|---|---|")
    for name in asked.sets.split(","):
        with tempfile.TemporaryDirectory() as folder:
            x, y = Path(folder) / "x.npy", Path(folder) / "y.npy"
            subprocess.run([asked.enxerto, "extract", asked.photos / name, "--weights", asked.weights, "--out", x,
                            "--labels", y], check=True, stdout=subprocess.DEVNULL)
            rows, labels = np.load(x).astype(np.float64), np.load(y)
        units = rows / np.linalg.norm(rows, axis=1, keepdims=True)
        spread = rows.std(0)
        standardised = (rows - rows.mean(0)) / np.where(spread > 0, spread, 1)
        shares = [agreement(euclidean(each), labels, asked.k) for each in (units, rows, standardised)]
        print(f"| {name} | {len(labels):,} |", " | ".join(f"{100 * share:.1f} %" for share in shares), "|", flush=True)


if __name__ == "__main__":
    main()
