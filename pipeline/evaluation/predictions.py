"""The table of predictions: one row a sample, the same for a test set and for new material."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pandas as pd

from pipeline.evaluation.calibration import confidences
from pipeline.evaluation.model_folder import Decisions
from pipeline.evaluation.scores import HALF, Arrays, decide
from pipeline.ground.failures import Failure
from pipeline.mtl import Task
from pipeline.training.examples import UNKNOWN, Examples


def prediction_table(
    tasks: Sequence[Task],
    examples: Examples,
    probabilities: Arrays,
    decisions: Decisions,
    failures: Iterable[Failure],
) -> pd.DataFrame:
    """Build a table with one row a sample, whose columns are, after the `id`:

    - for each task `<task>.predicted`, the decided class's number, `<task>.decision`, its name,
      `<task>.confidence`, its calibrated probability, and `<task>.p.<class>`, the network's own
      probabilities;
    - for each modality `<modality>.present` and `<modality>.failure`, the kinds of failures;
    - `unsure`, true where a task's confidence is below the model's limit.
    """
    columns: dict[str, object] = {"id": examples.ids}
    unsure = np.zeros(len(examples.ids), bool)
    for task in tasks:
        decision, scores = decisions.tasks[task.name], probabilities[task.name]
        predicted = decided(task, scores, decision.threshold)
        confidence = confidences(scores, predicted, decision.temperature)
        unsure |= confidence < decisions.unsure_below
        columns[f"{task.name}.predicted"] = predicted
        columns[f"{task.name}.decision"] = pd.array(np.array(task.classes)[predicted], "string")
        columns[f"{task.name}.confidence"] = confidence
        for code, label in enumerate(task.classes):
            columns[f"{task.name}.p.{label}"] = scores[:, code]
    kinds = _kinds(failures)
    for modality in examples.sequences:
        columns[f"{modality}.present"] = examples.present(modality)
        found = [kinds.get((name, modality)) for name in examples.ids]
        columns[f"{modality}.failure"] = pd.array(found, "string")
    return pd.DataFrame({**columns, "unsure": unsure})


def decided(task: Task, probabilities: np.ndarray, threshold: float) -> np.ndarray:
    """Return each row's class, as `decide` does; a binary softmax may have a threshold, too."""
    if task.head == "sigmoid" or task.positive is None or threshold == HALF:
        return decide(task, probabilities, threshold)
    positive = probabilities[:, task.positive] >= threshold
    return np.where(positive, task.positive, 1 - task.positive)


def with_truth(table: pd.DataFrame, tasks: Sequence[Task], examples: Examples) -> pd.DataFrame:
    """Insert `split` and each task's label, null where it is unknown, behind the `id`."""
    known: dict[str, object] = {"id": table["id"], "split": examples.split}
    for task in tasks:
        truth = pd.Series(examples.targets[task.name]).astype("Int64")
        known[task.name] = truth.mask(truth == UNKNOWN)
    return pd.concat([pd.DataFrame(known), table.drop(columns="id")], axis=1)


def _kinds(failures: Iterable[Failure]) -> Mapping[tuple[str, str], str]:
    kinds = defaultdict[tuple[str, str], set[str]](set)
    for failure in failures:
        kinds[failure.id, failure.modality].add(failure.kind)
    return {key: "; ".join(sorted(values)) for key, values in kinds.items()}
