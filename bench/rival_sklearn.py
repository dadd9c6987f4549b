#!/usr/bin/env python3
"""scikit-learn's side of bench_heads: the same features, the same line of JSON.

usage: rival_sklearn.py (logistic|svm|svm_trust_region|crammer_singer|logistic_path) FOLDER [--c 1] [--raw] [--tol X]
                        [--strengths 10] [--folds 5]

The features are standardised in place first, as a tutorial does with StandardScaler, and that is not timed (ours does it
within its time). FOLDER is what `bench_heads make` wrote. The objective is computed here, in blocks and in double.
  logistic          LogisticRegression(C), L-BFGS          svm               LinearSVC(C): dual coordinate descent
  svm_trust_region  LinearSVC(C, dual=False)               crammer_singer    LinearSVC(C, multi_class='crammer_singer')
  logistic_path     LogisticRegressionCV
"""
import argparse
import json
import resource
import time
import warnings
from pathlib import Path

import numpy
from sklearn.linear_model import LogisticRegression, LogisticRegressionCV
from sklearn.svm import LinearSVC


def standardise(x, test):
    """In place, by blocks, so that no copy is made."""
    mean = numpy.zeros(x.shape[1])
    for begin in range(0, len(x), 256):
        mean += x[begin:begin + 256].sum(0, dtype=numpy.float64)
    mean /= len(x)
    variance = numpy.zeros(x.shape[1])
    for begin in range(0, len(x), 256):
        variance += ((x[begin:begin + 256] - mean) ** 2).sum(0)
    deviation = numpy.sqrt(variance / len(x))
    deviation[deviation == 0] = 1
    for one in (x, test):
        one -= mean.astype(numpy.float32)
        one /= deviation.astype(numpy.float32)


def scores_of(x, w, b):
    w = numpy.asarray(w, numpy.float64)
    return numpy.concatenate([x[i:i + 256].astype(numpy.float64) @ w.T for i in range(0, len(x), 256)]) + b


def objective_of(task, x, y, fit, c):
    w, b = numpy.asarray(fit.coef_, numpy.float64), numpy.asarray(fit.intercept_, numpy.float64)
    s = scores_of(x, w, b)
    own = s[numpy.arange(len(y)), y]
    if task.startswith("logistic"):
        most = s.max(1)
        return c * (numpy.log(numpy.exp(s - most[:, None]).sum(1)) + most - own).sum() + (w ** 2).sum() / 2
    penalty = ((w ** 2).sum() + (b ** 2).sum()) / 2
    if task == "crammer_singer":
        s[numpy.arange(len(y)), y] -= 1
        return c * numpy.maximum(0, 1 + s.max(1) - own).sum() + penalty
    sign = numpy.where(numpy.arange(s.shape[1]) == y[:, None], 1, -1)
    return c * (numpy.maximum(0, 1 - sign * s) ** 2).sum() + penalty


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("task", choices=("logistic", "svm", "svm_trust_region", "crammer_singer", "logistic_path"))
    parser.add_argument("folder", type=Path)
    parser.add_argument("--c", type=float, default=1)
    parser.add_argument("--raw", action="store_true")
    parser.add_argument("--tol", type=float, help="scikit-learn's own where it is not given")
    parser.add_argument("--strengths", type=int, default=10)
    parser.add_argument("--folds", type=int, default=5)
    options = parser.parse_args()
    warnings.filterwarnings("ignore")
    x, y = numpy.load(options.folder / "features.npy"), numpy.load(options.folder / "labels.npy")
    test, test_y = numpy.load(options.folder / "test_features.npy"), numpy.load(options.folder / "test_labels.npy")
    if not options.raw:
        standardise(x, test)
    more = {} if options.tol is None else {"tol": options.tol}
    if options.task == "logistic":
        fit = LogisticRegression(C=options.c, max_iter=1000, **more)
    elif options.task == "logistic_path":
        fit = LogisticRegressionCV(Cs=list(numpy.geomspace(1e-4, 1e4, options.strengths)), cv=options.folds,
                                   max_iter=1000, scoring="accuracy", use_legacy_attributes=False, l1_ratios=(0,), **more)
    elif options.task == "crammer_singer":
        fit = LinearSVC(C=options.c, multi_class="crammer_singer", **more)
    else:
        fit = LinearSVC(C=options.c, dual=options.task == "svm", **more)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    cpu = time.process_time()
    start = time.perf_counter()
    fit.fit(x, y)
    seconds = time.perf_counter() - start
    cpu = time.process_time() - cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    c = float(fit.C_) if options.task == "logistic_path" else options.c
    print(json.dumps({"task": options.task, "c": c, "seconds": seconds, "cpu_seconds": cpu,
                      "iterations": int(numpy.max(fit.n_iter_)), "objective": float(objective_of(options.task, x, y, fit, c)),
                      "feature_bytes": x.nbytes, "peak_memory_bytes": peak, "peak_memory_before_bytes": before,
                      "test_accuracy": float((scores_of(test, fit.coef_, fit.intercept_).argmax(1) == test_y).mean())}))


if __name__ == "__main__":
    main()
