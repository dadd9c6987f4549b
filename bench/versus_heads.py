#!/usr/bin/env python3
"""bench_heads against scikit-learn, in turns.

Goes round: ours, then each rival, one process at a time, so that whatever slows the machine down slows all alike; each
process times itself, without reading the features. Compares medians, and says how the objectives differ: ours may be
below a rival's, never above by more than 1e-4. On a machine that others use too, look at the processor time as well.

usage: versus_heads.py --python VENV/bin/python [FOLDER] [--tasks logistic,svm,crammer_singer,logistic_path]
                       [--rows 5000] [--columns 25088] [--c 1] [--threads 2] [--runs 3] [--out versus_heads.json]

FOLDER: where `bench_heads make` has put features; else they are made anew, in a folder that is removed. The Python
needs scikit-learn.
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
RIVALS = {"logistic": ["logistic", "logistic --tol 1e-7"], "svm": ["svm", "svm_trust_region"], "crammer_singer": ["crammer_singer"],
          "logistic_path": ["logistic_path"]}


def run(command, threads, timeout):
    """What it prints; where it takes longer than `timeout`, the time alone, as a lower bound."""
    environment = dict(os.environ, OMP_NUM_THREADS=str(threads), OPENBLAS_NUM_THREADS=str(threads),
                       OMP_WAIT_POLICY="passive")  # both: on a busy machine threads that spin wait for ever
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False, env=environment, timeout=timeout)
    except subprocess.TimeoutExpired:
        nothing = float("nan")
        return {"seconds": timeout, "cpu_seconds": nothing, "iterations": -1, "objective": nothing,
                "test_accuracy": nothing, "peak_memory_bytes": nothing, "feature_bytes": 1, "unfinished": True}
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} ended with code {done.returncode}")
    return json.loads(done.stdout.splitlines()[-1])


def compare(options, folder, task):
    flags = ["--c", str(options.c)] + (["--raw"] if options.raw else [])
    path = ["--strengths", str(options.strengths), "--folds", str(options.folds)] if task.endswith("path") else []
    contenders = {"enxerto": [str(options.ours), task, str(folder), "--threads", str(options.threads), *flags, *path]}
    for rival in RIVALS[task]:
        contenders[f"sklearn {rival}"] = [options.python, str(HERE / "rival_sklearn.py"), *rival.split()[:1], str(folder),
                                          *rival.split()[1:], *flags, *path]
    results = {name: [] for name in contenders}
    for _ in range(options.runs):
        for name, command in contenders.items():
            if results[name] and "unfinished" in results[name][-1]:
                continue  # once is enough
            results[name].append(run(command, options.threads, options.timeout))
    middle = {name: {key: statistics.median(each[key] for each in every) for key in ("seconds", "cpu_seconds")}
              for name, every in results.items()}
    ours = middle["enxerto"]
    print(f"\n{task}, C = {options.c:g}, {options.threads} threads, median of {options.runs} in turns; "
          f"{chip()} ({widest_instructions()})")
    print(f"{'':26} {'seconds':>9} {'ratio':>7} {'cpu s':>8} {'ratio':>7} {'passes':>7} {'objective':>13} "
          f"{'test':>7} {'peak/features':>14}")
    rows = []
    for name, every in results.items():
        last = every[-1]
        row = {"name": name, "unfinished": "unfinished" in last, **middle[name], "ratio": middle[name]["seconds"] / ours["seconds"],
               "cpu_ratio": middle[name]["cpu_seconds"] / ours["cpu_seconds"], "iterations": last["iterations"],
               "objective": last["objective"], "test_accuracy": last["test_accuracy"],
               "memory_by_features": last["peak_memory_bytes"] / last["feature_bytes"], "all": every}
        rows.append(row)
        more = ">" if row["unfinished"] else " "
        print(f"{name:26}{more}{row['seconds']:9.2f} {row['ratio']:6.1f}x {row['cpu_seconds']:8.2f} {row['cpu_ratio']:6.1f}x "
              f"{row['iterations']:7} {row['objective']:13.6g} {row['test_accuracy']:7.4f} "
              f"{row['memory_by_features']:13.2f}x", flush=True)
    return {"task": task, "c": options.c, "threads": options.threads, "rows": rows}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="?")
    parser.add_argument("--python", default=sys.executable, help="a Python that has scikit-learn")
    parser.add_argument("--tasks", default=",".join(RIVALS))
    parser.add_argument("--rows", type=int, default=5000)
    parser.add_argument("--columns", type=int, default=25088)
    parser.add_argument("--c", type=float, default=1)
    parser.add_argument("--raw", action="store_true", help="features as they are, not standardised")
    parser.add_argument("--strengths", type=int, default=10)
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--timeout", type=float, default=900, help="seconds after which a turn is given up")
    parser.add_argument("--out", type=Path, help="a JSON file for all that was measured")
    options = parse_with_ours(parser, "bench_heads")
    with tempfile.TemporaryDirectory() as made:
        folder = options.folder
        if folder is None:
            folder = Path(made)
            subprocess.run([str(options.ours), "make", made, "--rows", str(options.rows), "--columns",
                            str(options.columns)], check=True)
        results = [compare(options, folder, task) for task in options.tasks.split(",")]
    if options.out:
        report = {"chip": chip(), "widest_instructions": widest_instructions(), "cores": os.cpu_count(),
                  "results": results}
        options.out.write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
