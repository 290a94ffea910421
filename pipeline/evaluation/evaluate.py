"""Test scores of a model and of its baselines, and the table of its predictions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

from pipeline.evaluation.baselines import baseline_probabilities
from pipeline.evaluation.scores import (
    Arrays,
    Scores,
    choose_thresholds,
    decide,
    score_tasks,
    select,
)
from pipeline.mtl import Task
from pipeline.training.examples import UNKNOWN, Examples

# Accuracies on the authors' splits of CrisisMMD: Ofli, Alam and Imran, "Analysis of Social Media
# Data using Multimodal Deep Learning for Disaster Response" (ISCRAM 2020), as later work quotes
# them. Damage was left out there, because its label is the image's alone. See docs/protocols.md.
PUBLISHED_BY = "Ofli, Alam and Imran 2020"
PUBLISHED = {
    "official_informative": {"text and image": 0.844, "image alone": 0.833},
    "official_humanitarian": {"text and image": 0.784, "image alone": 0.768},
    "official_damage": {},
}


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
            quality[baseline] = validation["mean"]["map"]
    return {**scores, "best_single": scores[max(quality, key=lambda name: quality[name])]}


def prediction_table(
    tasks: Sequence[Task],
    examples: Examples,
    probabilities: Arrays,
    thresholds: Mapping[str, float],
) -> pd.DataFrame:
    """Build a table with one row a sample, of every split.

    For each task: `<task>` (label, null if unknown), `<task>.predicted`, and `<task>.p.<class>`.
    """
    columns: dict[str, object] = {"id": examples.ids, "split": examples.split}
    for task in tasks:
        truth = pd.Series(examples.targets[task.name]).astype("Int64")
        columns[task.name] = truth.mask(truth == UNKNOWN)
        scores = probabilities[task.name]
        columns[f"{task.name}.predicted"] = decide(task, scores, thresholds[task.name])
        for code, label in enumerate(task.classes):
            columns[f"{task.name}.p.{label}"] = scores[:, code]
    return pd.DataFrame(columns)


def beside_published(split: str, scores: Mapping[str, Scores]) -> str:
    """Write the test accuracy beside the published ones; empty for a split without a protocol.

    With several tasks (one a class) there is nothing to compare.
    """
    tasks = [values for name, values in scores.items() if name != "mean"]
    if split not in PUBLISHED or len(tasks) != 1 or "accuracy" not in tasks[0]:
        return ""
    values = ", ".join(f"{model} {value:.3f}" for model, value in PUBLISHED[split].items())
    published = f"{values} ({PUBLISHED_BY})" if values else "nothing"
    return f"{split}: accuracy {tasks[0]['accuracy']:.3f}; published: {published}"
