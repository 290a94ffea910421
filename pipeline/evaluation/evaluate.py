"""Test scores of a model and of its baselines, and the baselines' predictions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from pipeline.evaluation.baselines import baseline_probabilities
from pipeline.evaluation.scores import (
    Arrays,
    Scores,
    choose_thresholds,
    decide,
    score_tasks,
    select,
    validation_scores,
)
from pipeline.mtl import Task
from pipeline.training.examples import Examples


@dataclass(frozen=True)
class Baseline:
    """A baseline's tasks, and by task its probabilities [n, classes] and its threshold."""

    tasks: tuple[Task, ...]
    probabilities: Arrays
    thresholds: Mapping[str, float]

    @classmethod
    def of(
        cls, tasks: Sequence[Task], examples: Examples, probabilities: Arrays, rule: str
    ) -> Baseline:
        """Choose the thresholds on validation by `rule`, see `choose_thresholds`."""
        val = examples.rows("val")
        truth, scores = select(examples.targets, val), select(probabilities, val)
        return cls(tuple(tasks), probabilities, choose_thresholds(tasks, truth, scores, rule))

    def scores(self, examples: Examples) -> dict[str, Scores]:
        """Score the test side."""
        return split_scores(self.tasks, examples, self.probabilities, self.thresholds)


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


def baselines_of(
    tasks: Sequence[Task], pooled: Examples, texts: Sequence[str], rule: str
) -> dict[str, Baseline]:
    """Fit every baseline; `best_single` is the modality with the best validation MAP.

    `pooled` holds one vector a sample and modality, `texts` one text a sample.
    """
    baselines, quality = {}, {}
    val = pooled.rows("val")
    for name, probabilities in baseline_probabilities(tasks, pooled, texts).items():
        # A threshold tuned on the majority's constant probability would change its decision.
        own_rule = "half" if name == "majority" else rule
        baselines[name] = Baseline.of(tasks, pooled, probabilities, own_rule)
        if name.startswith("single_"):
            truth, predicted = select(pooled.targets, val), select(probabilities, val)
            quality[name] = validation_scores(tasks, truth, predicted).get("mean_map", 0.0)
    return {**baselines, "best_single": baselines[max(quality, key=lambda name: quality[name])]}


def baseline_table(examples: Examples, baselines: Mapping[str, Baseline]) -> pd.DataFrame:
    """Build a table with one row a test sample, whose columns are, after the `id`:

    `<baseline>.<task>.predicted`, the decided class's number, and `<baseline>.<task>.p.<class>`.
    """
    rows = examples.rows("test")
    columns: dict[str, object] = {"id": [examples.ids[row] for row in rows]}
    for name, baseline in baselines.items():
        for task in baseline.tasks:
            scores = baseline.probabilities[task.name][rows]
            predicted = decide(task, scores, baseline.thresholds[task.name])
            columns[f"{name}.{task.name}.predicted"] = predicted
            for code, label in enumerate(task.classes):
                columns[f"{name}.{task.name}.p.{label}"] = scores[:, code]
    return pd.DataFrame(columns)
