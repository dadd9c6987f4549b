#!/usr/bin/env python3
"""Writes enxerto/train/golden_multi_label.json: what scikit-learn says of pictures with several labels.

Usage: python tools/make_golden_multi_label.py > enxerto/train/golden_multi_label.json   (made with scikit-learn 1.9)
"""
import json
import random

import sklearn
from sklearn import metrics

random.seed(11)
CLASSES, PICTURES = 4, 30
outputs, truths = [], []
for _ in range(PICTURES):
    row = [int(random.random() < part) for part in (0.5, 0.3, 0.2, 0.1)]
    truths.append(row)
    # One digit, so that some outputs are equal; 0.05 keeps them off 0, where a class is predicted.
    outputs.append([round(random.gauss(1.2 * truth - 0.6, 1), 1) + 0.05 for truth in row])
predicted = [[int(y > 0) for y in row] for row in outputs]
print(json.dumps({
    "scikit-learn": sklearn.__version__, "outputs": outputs, "truths": truths,
    "average_precision": metrics.average_precision_score(truths, outputs, average=None).tolist(),
    "mean_average_precision": metrics.average_precision_score(truths, outputs),
    "precision": metrics.precision_score(truths, predicted, average=None).tolist(),
    "recall": metrics.recall_score(truths, predicted, average=None).tolist(),
    "f1": metrics.f1_score(truths, predicted, average=None).tolist(),
    "micro_f1": metrics.f1_score(truths, predicted, average="micro"),
    "macro_f1": metrics.f1_score(truths, predicted, average="macro"),
    "exact_match": metrics.accuracy_score(truths, predicted)}))
