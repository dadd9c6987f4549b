#!/usr/bin/env python3
"""What scikit-learn says of principal components, neighbours, ridge and trees on small data, for the tests of
enxerto/heads.

usage: make_heads2_golden.py enxerto/heads/golden2.json      (needs numpy and scikit-learn; made with 1.9.1)
"""
import json
import sys

import numpy as np
from sklearn.decomposition import PCA
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import RidgeClassifier, RidgeClassifierCV
from sklearn.neighbors import KNeighborsClassifier
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier


def rounded(values, digits=7):
    values = np.asarray(values, dtype=np.float64)
    return [float(f"{each:.{digits}g}") for each in values.ravel()]


def make_rows(n, c, classes, seed, apart, scales=False):
    """Overlapping clouds with correlated columns, as floats of three decimals."""
    rng = np.random.default_rng(seed)
    y = np.arange(n) % classes
    centres = apart * rng.standard_normal((classes, c))
    mix = rng.standard_normal((c, c)) / np.sqrt(c)
    x = (centres[y] + rng.standard_normal((n, c))) @ (np.eye(c) + mix) + 2
    if scales:
        x = x * np.logspace(0, 2, c)
    return np.round(x, 3).astype(np.float32), y


def describe(x, y):
    return {"n": x.shape[0], "c": x.shape[1], "x": [float(f"{each:.6g}") for each in x.ravel()], "y": y.tolist()}


def pca_of(x, k):
    found = PCA(n_components=k, svd_solver="full").fit(x.astype(np.float64))
    return {"variance": rounded(found.explained_variance_), "ratio": rounded(found.explained_variance_ratio_),
            "components": rounded(found.components_)}


def knn_of(x, y, queries):
    made = {}
    for name, options in {"uniform": {}, "distance": {"weights": "distance"},
                          "cosine": {"metric": "cosine", "weights": "distance"}}.items():
        made[name] = rounded(KNeighborsClassifier(5, algorithm="brute", **options).fit(x.astype(np.float64), y)
                             .predict_proba(queries.astype(np.float64)))
    return made


def ridge_of(x, y, alphas, weights=None):
    x = x.astype(np.float64)
    cv = RidgeClassifierCV(alphas=alphas, store_cv_results=True).fit(x, y, sample_weight=weights)
    # Targets of -1 and 1 have errors twice ours.
    errors = cv.cv_results_.reshape(x.shape[0], -1, len(alphas)).sum(axis=1).mean(axis=0) / 4
    one = RidgeClassifier(alpha=alphas[1], tol=1e-10, solver="cholesky").fit(x, y, sample_weight=weights)
    return {"alphas": alphas, "errors": rounded(errors), "best": float(cv.alpha_), "weight": rounded(one.coef_ / 2),
            "bias": rounded((one.intercept_ + 1) / 2)}


def tree_of(x, y, queries, **options):
    trees = [DecisionTreeClassifier(random_state=seed, **options).fit(x, y) for seed in range(30)]
    found = trees[0]
    # scikit-learn breaks ties by the seed: where there are any, there is nothing to compare with.
    has_ties = any((each.predict_proba(queries) != found.predict_proba(queries)).any() for each in trees)
    if has_ties and options:
        sys.exit(f"a tree with {options} has ties")
    return {"nodes": int(found.tree_.node_count), "depth": int(found.tree_.max_depth),
            "root": {"feature": int(found.tree_.feature[0]), "threshold": float(found.tree_.threshold[0])},
            "probabilities": rounded(found.predict_proba(queries), 6)}


def forest_of(x, y, queries, truth):
    accuracies, out_of_bag = [], []
    for seed in range(10):
        found = RandomForestClassifier(100, oob_score=True, random_state=seed).fit(x, y)
        accuracies.append(found.score(queries, truth))
        out_of_bag.append(found.oob_score_)
    return {"accuracy": rounded(accuracies, 5), "out_of_bag": rounded(out_of_bag, 5)}


def main():
    tall, tall_y = make_rows(90, 6, 3, 1, 0.8, scales=True)
    tall_queries, tall_truth = make_rows(60, 6, 3, 1, 0.8, scales=True)
    tall_queries = (tall_queries[::-1] * 0.5 + tall[:60] * 0.5).astype(np.float32).round(3)
    wide, wide_y = make_rows(24, 40, 3, 2, 0.5)
    many, many_y = make_rows(240, 8, 4, 3, 0.7)
    train, test = slice(0, 120), slice(120, 240)
    golden = {
        "tall": describe(tall, tall_y), "tall_queries": describe(tall_queries, tall_truth),
        "wide": describe(wide, wide_y), "many": describe(many, many_y),
        "pca": {"tall": pca_of(tall, 6), "wide": pca_of(wide, 10),
                "standardized": pca_of(StandardScaler().fit_transform(tall.astype(np.float64)), 6)},
        "knn": knn_of(tall, tall_y, tall_queries),
        "ridge": {"tall": ridge_of(tall, tall_y, [0.1, 10.0, 1000.0, 1e6]),
                  "wide": ridge_of(wide, wide_y, [0.1, 10.0, 1000.0])},
        "tree": {"full": tree_of(tall, tall_y, tall_queries), "shallow": tree_of(tall, tall_y, tall_queries, max_depth=2),
                 "leaves": tree_of(tall, tall_y, tall_queries, min_samples_leaf=9),
                 "balanced": tree_of(tall[:60], tall_y[:60], tall_queries, class_weight="balanced",
                                     max_depth=2, min_samples_leaf=6)},
        "forest": forest_of(many[train], many_y[train], many[test], many_y[test]),
    }
    with open(sys.argv[1], "w") as file:
        json.dump(golden, file, separators=(",", ":"))
        file.write("\n")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main()
