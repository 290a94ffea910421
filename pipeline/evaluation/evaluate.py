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
)
from pipeline.mtl import Task
from pipeline.training.examples import Examples


def thresholds_of(
    tasks: Sequence[Task], examples: Examples, probabilities: Arrays, rule: str
) -> dict[str, float]:
    """Choose the thresholds on the validation rows; see `choose_thresholds`."""
    val = examples.rows("val")
    return choose_thresholds(tasks, select(examples.targets, val), select(probabilities, val), rule)


def split_scores(
    tasks: Sequence[Task],
    examples: Examples,
    probabilities: Arrays,
    thresholds: Mapping[str, float],
    split: str = "test",
) -> dict[str, Scores]:
    """Score the rows of one side of the split; probabilities are those of all rows."""
    rows = examples.rows(split)
    return score_tasks(
        tasks, select(examples.targets, rows), select(probabilities, rows), thresholds
    )


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
    for baseline, probabilities in baseline_probabilities(tasks, pooled, texts).items():
        # A threshold tuned on the majority's constant probability would change its decision.
        own_rule = "half" if baseline == "majority" else rule
        thresholds = thresholds_of(tasks, pooled, probabilities, own_rule)
        scores[baseline] = split_scores(tasks, pooled, probabilities, thresholds)
        if baseline.startswith("single_"):
            validation = split_scores(tasks, pooled, probabilities, thresholds, "val")
            quality[baseline] = validation["mean"].get("map", 0.0)
    return {**scores, "best_single": scores[max(quality, key=lambda name: quality[name])]}
