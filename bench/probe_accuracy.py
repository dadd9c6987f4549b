#!/usr/bin/env python3
"""Probes against scikit-learn's on the same exported features: the accuracy on test rows that neither saw.

usage: probe_accuracy.py --python VENV/bin/python ENXERTO DATA [--sets NAME,...] [--backbones NAME,...] [--out FILE.json]
  DATA  the developers' data: DATA/photos/SET, DATA/weights

For each set `enxerto extract` writes the features of all pictures; a stratified fifth of the rows, drawn by NumPy, is the
test. Ours is `enxerto head --head logistic --folds 5`; theirs LogisticRegressionCV with the same ten strengths and five
folds, after StandardScaler where ours standardises. Where the folds choose another C (they are not the same folds), the last
column tells scikit-learn's accuracy with ours. The Python needs NumPy and scikit-learn. Prints a table in Markdown;
ends with 1 where with the same C the two differ by more than 0.3 points and by more than one row.
"""
import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

from transfer_table import BACKBONES, SETS

RIVAL = """
import json, sys, numpy
from sklearn.linear_model import LogisticRegression, LogisticRegressionCV
from sklearn.preprocessing import StandardScaler
folder, standardise, c = sys.argv[1], sys.argv[2] == "yes", float(sys.argv[3])
x, y, tx, ty = (numpy.load(f"{folder}/{name}.npy") for name in ("x", "y", "tx", "ty"))
if standardise:
    scaler = StandardScaler().fit(x)
    x, tx = scaler.transform(x), scaler.transform(tx)
fit = LogisticRegressionCV(Cs=list(numpy.geomspace(1e-4, 1e4, 10)), cv=5, max_iter=2000, l1_ratios=(0,), scoring="accuracy",
                           use_legacy_attributes=False, n_jobs=2).fit(x, y)
same = LogisticRegression(C=c, max_iter=5000, tol=1e-6).fit(x, y)
print(json.dumps({"accuracy": float(fit.score(tx, ty)), "c": float(fit.C_), "n": len(ty), "same_c": float(same.score(tx, ty))}))
"""
SPLIT = """
import sys, numpy
folder = sys.argv[1]
x, y = numpy.load(f"{folder}/all.npy"), numpy.load(f"{folder}/labels.npy")
rng, test = numpy.random.default_rng(1), numpy.zeros(len(y), bool)
for label in numpy.unique(y):
    rows = rng.permutation(numpy.flatnonzero(y == label))
    test[rows[:round(len(rows) / 5)]] = True
for name, rows in (("", ~test), ("t", test)):
    numpy.save(f"{folder}/{name}x.npy", x[rows]), numpy.save(f"{folder}/{name}y.npy", y[rows])
"""


def run(command):
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(done.stderr)
    return done.stdout


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("enxerto")
    parser.add_argument("data", type=Path)
    parser.add_argument("--python", required=True)
    parser.add_argument("--sets", default=",".join(SETS))
    parser.add_argument("--backbones", default=",".join(BACKBONES))
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    results, apart = [], False
    print("| backbone | set | test rows | ours | scikit-learn | C, ours and theirs | scikit-learn, our C |\n"
          "|---|---|---|---|---|---|---|")
    for backbone in arguments.backbones.split(","):
        for photos in arguments.sets.split(","):
            with tempfile.TemporaryDirectory() as folder:
                run([arguments.enxerto, "extract", arguments.data / "photos" / photos, "--weights",
                     arguments.data / "weights" / BACKBONES[backbone], "--out", f"{folder}/all.npy", "--labels",
                     f"{folder}/labels.npy"])
                run([arguments.python, "-c", SPLIT, folder])
                ours = json.loads(run([arguments.enxerto, "head", f"{folder}/x.npy", f"{folder}/y.npy", "--head", "logistic",
                                       "--folds", 5, "--test", f"{folder}/tx.npy", f"{folder}/ty.npy", "--json"]))
                theirs = json.loads(run([arguments.python, "-c", RIVAL, folder,
                                         "yes" if ours.get("standardized") else "no", ours["c"]]))
            row = {"backbone": backbone, "set": photos, "n": theirs["n"], "ours": ours["test_accuracy"],
                   "sklearn": theirs["accuracy"], "c": ours["c"], "sklearn_c": theirs["c"],
                   "sklearn_same_c": theirs["same_c"]}
            results.append(row)
            difference = abs(row["ours"] - row["sklearn_same_c"])
            apart = apart or (difference > 0.003 and difference * row["n"] > 1.5)
            print(f"| {backbone} | {photos} | {row['n']} | {100 * row['ours']:.1f} % | {100 * row['sklearn']:.1f} % | "
                  f"{row['c']:.3g}, {row['sklearn_c']:.3g} | {100 * row['sklearn_same_c']:.1f} % |", flush=True)
    if arguments.out:
        arguments.out.write_text(json.dumps(results, indent=1) + "\n")
    sys.exit(apart)


if __name__ == "__main__":
    main()
