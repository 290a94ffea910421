"""Scores of many yes-or-no labels together, as the literature on multi-label learning has them."""

from __future__ import annotations

import numpy as np
from sklearn.metrics import average_precision_score

from pipeline.evaluation.metrics import best_threshold

SCORES = ("map", "macro_f1", "micro_f1", "hamming_loss")


def multilabel_scores(
    truth: np.ndarray, probabilities: np.ndarray, split: np.ndarray
) -> dict[str, float]:
    """Score the test rows of `truth` [n, L] (-1: left out) and `probabilities` [n, L].

    - `map`: mean over the labels with a positive of the average precision.
    - `macro_f1`: mean over these labels of the positive class's F1, and `micro_f1`: F1 of all
      labels' decisions pooled, both at each label's threshold with the best F1 on the val rows.
    - `hamming_loss`: fraction of wrong decisions at 0.5, where it is least in expectation.
    """
    val, test = split == "val", split == "test"
    columns = zip(truth[val].T, probabilities[val].T, strict=True)
    thresholds = [best_threshold(labels, scores) for labels, scores in columns]
    truth, probabilities = truth[test], probabilities[test]
    known, hot = truth >= 0, truth == 1
    chosen = known & (probabilities >= thresholds)
    seen = hot.any(axis=0)
    hits, found, there = (hot & chosen).sum(0), chosen.sum(0), hot.sum(0)
    precisions = [
        average_precision_score(hot[known[:, label], label], probabilities[known[:, label], label])
        for label in np.flatnonzero(seen)
    ]
    decided = found.sum() + there.sum()
    return {
        "map": float(np.mean(precisions)),
        "macro_f1": float((2 * hits / np.maximum(found + there, 1))[seen].mean()),
        "micro_f1": float(2 * hits.sum() / decided),
        "hamming_loss": float(((probabilities >= 0.5) != hot)[known].mean()),
    }
