"""Test scores of a model and of its baselines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from pipeline.evaluation.baselines import baseline_probabilities
from pipeline.evaluation.scores import (
    Arrays,
    Scores,
    choose_thresholds,
    score_tasks,
    select,
    validation_scores,
)
from pipeline.mtl import Task
from pipeline.training.examples import Examples


def split_scores(
    tasks: Sequence[Task],
    examples: Examples,
    probabilities: Arrays,
    thresholds: Mapping[str, float],
) -> dict[str, Scores]:
    """Score the rows of the test side; probabilities are those of all rows."""
    test = examples.rows("test")
    return score_tasks(
        tasks, select(examples.targets, test), select(probabilities, test), thresholds
    )


def scores_at_own_thresholds(
    tasks: Sequence[Task], examples: Examples, probabilities: Arrays, rule: str
) -> dict[str, Scores]:
    """Score test at the thresholds that `rule` chooses on validation; see `choose_thresholds`."""
    val = examples.rows("val")
    truth, scores = select(examples.targets, val), select(probabilities, val)
    thresholds = choose_thresholds(tasks, truth, scores, rule)
    return split_scores(tasks, examples, probabilities, thresholds)


def leak_free_scores(
    tasks: Sequence[Task],
    examples: Examples,
    probabilities: Arrays,
    thresholds: Mapping[str, float],
    leaks: np.ndarray,
) -> dict[str, Scores] | None:
    """Score the test rows but those that `leaks` [n] marks: their group is in training too.

    None where no row leaks, and where no labelled row remains.
    """
    kept = replace(examples, split=np.where(leaks, "leaks", examples.split))
    rows = kept.rows("test")
    labelled = any((examples.targets[task.name][rows] >= 0).any() for task in tasks)
    if not leaks.any() or not labelled:
        return None
    return split_scores(tasks, kept, probabilities, thresholds)


def baseline_scores(
    tasks: Sequence[Task], pooled: Examples, texts: Sequence[str], rule: str
) -> dict[str, dict[str, Scores]]:
    """Score every baseline on test; `best_single` is the modality with the best validation MAP.

    `pooled` holds one vector a sample and modality, `texts` one text a sample.
    """
    scores, quality = {}, {}
    val = pooled.rows("val")
    for baseline, probabilities in baseline_probabilities(tasks, pooled, texts).items():
        # A threshold tuned on the majority's constant probability would change its decision.
        own_rule = "half" if baseline == "majority" else rule
        scores[baseline] = scores_at_own_thresholds(tasks, pooled, probabilities, own_rule)
        if baseline.startswith("single_"):
            truth, predicted = select(pooled.targets, val), select(probabilities, val)
            quality[baseline] = validation_scores(tasks, truth, predicted).get("mean_map", 0.0)
    return {**scores, "best_single": scores[max(quality, key=lambda name: quality[name])]}
