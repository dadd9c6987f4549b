#!/usr/bin/env python3
"""Writes enxerto/heads/golden.json: small data, and what scikit-learn says of it at tight tolerances.

usage: make_heads_golden.py   (a Python with scikit-learn, in the repository's root)
"""
import json
import warnings
from pathlib import Path

import numpy
import sklearn
from sklearn.linear_model import LogisticRegression
from sklearn.svm import LinearSVC

OUT = Path("enxerto/heads/golden.json")


def data(n, c, classes, seed):
    random = numpy.random.default_rng(seed)
    y = numpy.arange(n) % classes
    x = random.normal(size=(n, c)) + 1.2 * random.normal(size=(classes, c))[y] + 0.5
    return numpy.maximum(x, 0).round(3).astype(numpy.float32), y


def logistic_objective(fit, x, y, c, ratio, weights):
    w, b = fit.coef_.astype(float), fit.intercept_.astype(float)
    s = x.astype(float) @ w.T + b
    if len(w) == 1:
        s = numpy.hstack([numpy.zeros_like(s), s])
    loss = numpy.log(numpy.exp(s - s.max(1, keepdims=True)).sum(1)) + s.max(1) - s[numpy.arange(len(y)), y]
    return c * (weights * loss).sum() + (1 - ratio) / 2 * (w ** 2).sum() + ratio * abs(w).sum()


def svm_objective(fit, x, y, c, kind, weights):
    w, b = fit.coef_.astype(float), fit.intercept_.astype(float)
    s = x.astype(float) @ w.T + b
    penalty = ((w ** 2).sum() + (b ** 2).sum()) / 2
    if kind == "crammer_singer":
        own = s[numpy.arange(len(y)), y].copy()
        s[numpy.arange(len(y)), y] -= 1
        return c * (weights * numpy.maximum(0, 1 + s.max(1) - own)).sum() + penalty
    sign = numpy.where(y[:, None] == (1 if len(w) == 1 else numpy.arange(len(w))), 1, -1)
    return c * (weights[:, None] * numpy.maximum(0, 1 - sign * s) ** 2).sum() + penalty


def main():
    warnings.filterwarnings("ignore")
    sets = {"wide": data(24, 40, 3, 1), "tall": data(90, 6, 4, 2), "two": data(40, 10, 2, 3)}
    cases = []
    for name, (x, y) in sets.items():
        for c in (1e-6, 0.01, 1.0, 100.0):
            for weights in (None, "balanced", {k: 1.0 + k for k in range(y.max() + 1)}):
                if weights is not None and c != 1.0:
                    continue
                some = slice(None) if weights is None else slice(7, None)  # not balanced already
                of_class = numpy.ones(y.max() + 1)
                if weights == "balanced":
                    of_class = len(y[some]) / (len(of_class) * numpy.bincount(y[some]))
                elif weights:
                    of_class = numpy.array([weights[k] for k in range(len(of_class))])
                common = {"data": name, "c": c, "first": some.start or 0, "balanced": weights == "balanced",
                          "given": list(of_class) if isinstance(weights, dict) else []}
                each, wide = of_class[y[some]], x[some].astype(float)
                fit = LogisticRegression(C=c, tol=1e-10, max_iter=100000, class_weight=weights,
                                         solver="newton-cg").fit(wide, y[some])
                cases.append({**common, "kind": "logistic", "l1_ratio": 0, "done": True, "weight": fit.coef_.tolist(),
                              "objective": logistic_objective(fit, wide, y[some], c, 0, each)})
                for kind in ("ovr", "crammer_singer"):
                    if kind == "crammer_singer" and (weights or name == "two"):
                        continue
                    fit = LinearSVC(C=c, tol=1e-8, max_iter=100000, multi_class=kind)
                    # Weights of rows: LIBLINEAR's class weights leave the other classes' rows at 1.
                    fit.fit(wide, y[some], sample_weight=each)
                    cases.append({**common, "kind": "svm" if kind == "ovr" else kind, "weight": fit.coef_.tolist(), "done": bool(numpy.max(fit.n_iter_) < 100000),
                                  "objective": svm_objective(fit, wide, y[some], c, kind, each)})
            if c in (1.0, 100.0):
                for ratio in (0.5, 1.0) if c == 1.0 else (0.5,):
                    fit = LogisticRegression(C=c, l1_ratio=ratio, solver="saga", tol=1e-7, max_iter=20000).fit(x.astype(float), y)
                    cases.append({"data": name, "c": c, "first": 0, "balanced": False, "given": [], "kind": "logistic",
                                  "l1_ratio": ratio, "done": bool(numpy.max(fit.n_iter_) < 20000), "weight": fit.coef_.tolist(),
                                  "objective": logistic_objective(fit, x, y, c, ratio, numpy.ones(len(y)))})
    for case in cases:
        case["weight"] = [[float(f"{w:.6g}") for w in row] for row in case["weight"]]
    made = {"scikit_learn": sklearn.__version__, "cases": cases,
            "data": {name: {"x": [[round(float(v), 3) for v in row] for row in x], "y": y.tolist()} for name, (x, y) in sets.items()}}
    OUT.write_text(json.dumps(made, separators=(",", ":")) + "\n")
    print(len(cases), "cases,", OUT.stat().st_size, "bytes")


if __name__ == "__main__":
    main()
