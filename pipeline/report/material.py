"""What a report is made of: the files that the pipeline wrote for one data set."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pipeline.evaluation.scores import Scores
from pipeline.ground.data_set import DataSet
from pipeline.ground.failures import Failure, read_failures
from pipeline.inputs.json_files import check_json, read_json
from pipeline.inputs.parquet import read_table
from pipeline.mtl import Task
from pipeline.training.examples import targets_of
from pipeline.training.tasks import load_tasks

# As `evaluate` names them within the scores of a split that leaks.
LEAK_FREE = "without_near_duplicates"
# As `evaluate` writes them: scores by task and under "mean", of the model and of each baseline.
Metrics = Mapping[str, Scores]


@dataclass(frozen=True)
class Material:
    """One data set's index, predictions (row by row those of the index), scores and failures.

    `tasks` are those that the model predicts. `leak_free` are the scores of the test samples
    whose group is not in training too; empty if the split does not leak. `baselines` are their
    scores, and `baseline_predictions` has a row for each test sample.
    """

    data: DataSet
    tasks: tuple[Task, ...]
    index: pd.DataFrame
    predictions: pd.DataFrame
    metrics: Metrics
    leak_free: Metrics
    baselines: Mapping[str, Metrics]
    baseline_predictions: pd.DataFrame
    failures: list[Failure]

    @cached_property
    def test(self) -> np.ndarray:
        """Row numbers of the test samples."""
        return np.flatnonzero(self.index["split"] == "test")

    @cached_property
    def truth(self) -> dict[str, np.ndarray]:
        """Classes [n] of each task over the whole index; -1 if unknown."""
        return targets_of(self.index, self.tasks)

    def probabilities(self, task: Task) -> np.ndarray:
        """Probabilities [n, classes] over the whole index, the network's own."""
        return self.predictions[[f"{task.name}.p.{label}" for label in task.classes]].to_numpy()

    def decided(self, task: Task) -> np.ndarray:
        """Decisions [n] over the whole index."""
        return self.predictions[f"{task.name}.predicted"].to_numpy(np.int64)

    def tested(self, baseline: str = "") -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
        """Probabilities [n, classes] and decisions [n] of the test samples by task.

        They are the model's, or those of a baseline, which may lack tasks.
        """
        table = self.baseline_predictions if baseline else self.predictions.iloc[self.test]
        prefix = f"{baseline}." if baseline else ""
        tasks = [task for task in self.tasks if f"{prefix}{task.name}.predicted" in table]
        return (
            {
                t.name: table[[f"{prefix}{t.name}.p.{c}" for c in t.classes]].to_numpy()
                for t in tasks
            },
            {t.name: table[f"{prefix}{t.name}.predicted"].to_numpy(np.int64) for t in tasks},
        )

    def confidence(self, task: Task) -> np.ndarray:
        """Calibrated probability [n] of each decision."""
        return self.predictions[f"{task.name}.confidence"].to_numpy(np.float64)

    @cached_property
    def modalities(self) -> list[str]:
        """The modalities that the model reads."""
        return [name for name in self.data.modalities if f"{name}.present" in self.predictions]

    def present(self, modality: str) -> np.ndarray:
        """Say for each sample [n] whether it has the modality."""
        return self.predictions[f"{modality}.present"].to_numpy(bool)

    def kinds(self, sample: str, modality: str) -> set[str]:
        """Return the kinds of a sample's failures in one modality."""
        return {f.kind for f in self.failures if (f.id, f.modality) == (sample, modality)}

    @cached_property
    def unsure(self) -> np.ndarray:
        """Say for each sample [n] whether a decision's confidence is below the model's limit."""
        return self.predictions["unsure"].to_numpy(bool)


def read_scores(path: Path) -> tuple[Metrics, Metrics]:
    """Read the scores of a model, and those without near-duplicates (empty if there are none).

    Raises ValueError naming the file if it holds anything else.
    """
    return checked_scores(path, read_json(path, dict[str, Any]))


def checked_scores(path: Path, values: object) -> tuple[Metrics, Metrics]:
    """Check what was read from the file `path`, see `read_scores`."""
    scores = check_json(path, values, dict[str, Any])
    leak_free, schema = scores.pop(LEAK_FREE, {}), dict[str, Scores]
    return check_json(path, scores, schema), check_json(path, leak_free, schema)


def read_material(data: DataSet) -> Material:
    """Read the files of one data set, relative to the project's root.

    Raises ValueError naming the file that is missing, damaged or of another run.
    """
    folder, metrics = Path("predictions"), Path("metrics") / f"{data.name}.json"
    own, others = folder / f"{data.name}.parquet", folder / f"{data.name}_baselines.parquet"
    baselines = Path("metrics") / f"{data.name}_baselines.json"
    failures = data.folder / "failures.csv"
    for path in (data.index, data.tasks, own, others, metrics, baselines, failures):
        if not path.is_file():
            raise ValueError(f"{path} is missing; run `dvc repro evaluate@{data.name}`")
    index, predictions, of_baselines = read_table(data.index), read_table(own), read_table(others)
    ids = {own: index["id"], others: index["id"][index["split"] == "test"]}
    for path, table in {own: predictions, others: of_baselines}.items():
        if ids[path].tolist() != table["id"].tolist():
            raise ValueError(f"{path} and {data.index} hold different samples; run `dvc repro`")
    tasks = [t for t in load_tasks(data.tasks) if f"{t.name}.predicted" in predictions]
    scores, leak_free = read_scores(metrics)
    for name in ("mean", *(task.name for task in tasks)):
        if name not in scores:
            raise ValueError(f"{metrics} has no {name!r}: of another run; run `dvc repro`")
    return Material(
        data,
        tuple(tasks),
        index,
        predictions,
        scores,
        leak_free,
        read_json(baselines, dict[str, dict[str, Scores]]),
        of_baselines,
        read_failures(failures),
    )
