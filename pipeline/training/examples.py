"""Batches of padded sequences and masked targets, from the index and feature files."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from pipeline.ground.data_set import DataSet
from pipeline.inputs.feature_file import FeatureFile
from pipeline.mtl import Task

UNKNOWN = -1


@dataclass(frozen=True)
class Batch:
    """Padded inputs and targets of B samples.

    `sequences[m]` is (B, T_m, d_m) with zeros behind each sample's end; `lengths[m]` (B,) is 0
    where the modality is absent; `targets[task]` (B,) int64 is -1 where the label is unknown.
    """

    sequences: dict[str, Tensor]
    lengths: dict[str, Tensor]
    targets: dict[str, Tensor]

    def to(self, device: torch.device) -> Batch:
        """Copy the batch to a device."""
        fields = (self.sequences, self.lengths, self.targets)
        return Batch(*({k: v.to(device) for k, v in tensors.items()} for tensors in fields))


@dataclass(frozen=True)
class Examples:
    """All samples of a data set: `sequences[m][i]` is [length, d_m], of length 0 where absent."""

    ids: list[str]
    split: np.ndarray
    sequences: dict[str, list[np.ndarray]]
    targets: dict[str, np.ndarray]

    @property
    def dims(self) -> dict[str, int]:
        """Width of each modality's features."""
        return {name: arrays[0].shape[1] for name, arrays in self.sequences.items()}

    def rows(self, split: str) -> np.ndarray:
        """Row numbers of one side of the split."""
        return np.flatnonzero(self.split == split)

    def keep(self, modalities: Sequence[str]) -> Examples:
        """Restrict the examples to some modalities."""
        sequences = {name: self.sequences[name] for name in modalities}
        return Examples(self.ids, self.split, sequences, self.targets)

    def present(self, modality: str) -> np.ndarray:
        """Return for each sample whether it has the modality."""
        return np.array([len(array) > 0 for array in self.sequences[modality]])

    def batch(self, rows: np.ndarray) -> Batch:
        """Pad the given rows into one batch."""
        sequences, lengths = {}, {}
        for name, arrays in self.sequences.items():
            chosen = [arrays[row] for row in rows]
            lengths[name] = torch.tensor([len(array) for array in chosen])
            sequences[name] = _pad(chosen, self.dims[name])
        targets = {name: torch.from_numpy(values[rows]) for name, values in self.targets.items()}
        return Batch(sequences, lengths, targets)

    def batches(
        self, rows: np.ndarray, size: int, order: np.random.Generator | None = None
    ) -> Iterator[Batch]:
        """Yield the rows in batches, in the order given or shuffled."""
        rows = rows if order is None else order.permutation(rows)
        for start in range(0, len(rows), size):
            yield self.batch(rows[start : start + size])


def _pad(arrays: Sequence[np.ndarray], dim: int) -> Tensor:
    longest = max(1, *(len(array) for array in arrays))
    padded = np.zeros((len(arrays), longest, dim), np.float32)
    for row, array in zip(padded, arrays, strict=True):
        row[: len(array)] = array
    return torch.from_numpy(padded)


def load_tasks(path: Path) -> list[Task]:
    """Read tasks.json."""
    return [
        Task(**{**entry, "classes": tuple(entry["classes"])})
        for entry in json.loads(path.read_text())
    ]


def load_examples(
    index: pd.DataFrame, tasks: Sequence[Task], features: Mapping[str, Path], pooled: bool
) -> Examples:
    """Load the features of every indexed sample.

    `features` maps each modality to its file. `pooled` averages each sequence to one vector, for
    data without a time axis worth modelling. Raises ValueError if a file's samples are not the
    index's.
    """
    sequences = {}
    for modality, path in features.items():
        file = FeatureFile(path)
        if file.ids != index["id"].tolist():
            raise ValueError(f"{path} and the index hold different samples; extract again")
        arrays = file.read()
        sequences[modality] = [_mean(array) for array in arrays] if pooled else arrays
    targets = targets_of(index, tasks)
    return Examples(index["id"].tolist(), index["split"].to_numpy(str), sequences, targets)


def targets_of(index: pd.DataFrame, tasks: Sequence[Task]) -> dict[str, np.ndarray]:
    """Return each task's classes [rows] in the index's order; -1 where unknown."""
    return {task.name: index[task.name].fillna(UNKNOWN).to_numpy(np.int64) for task in tasks}


def load_training_set(
    data: DataSet, modalities: Sequence[str]
) -> tuple[Examples, tuple[Task, ...], list[str]]:
    """Load the examples and tasks that a network can learn, and describe what was left out.

    Left out are the modalities that no training sample has, and the tasks whose training rows have
    fewer than two classes. Raises ValueError if no modality remains.
    """
    names = [name for name in data.modalities if name in modalities]
    if not names:
        raise ValueError(
            f"train.modalities has none of {data.name}'s: {', '.join(data.modalities)}"
        )
    tasks = load_tasks(data.tasks)
    features = {name: data.features(name) for name in names}
    pooled = data.encoder == "pooled"
    examples = load_examples(pd.read_parquet(data.index), tasks, features, pooled=pooled)
    present = present_modalities(examples)
    learnable = tuple(trainable(tasks, examples))
    left_out = [f"{name} (no training sample has it)" for name in names if name not in present]
    left_out += [f"{t.name} (fewer than two classes)" for t in tasks if t not in learnable]
    return examples.keep(present), learnable, left_out


def present_modalities(examples: Examples) -> list[str]:
    """Return the modalities that some training sample has; raises ValueError if there are none."""
    train = examples.rows("train")
    names = [name for name in examples.sequences if examples.present(name)[train].any()]
    if not names:
        raise ValueError("no training sample has any modality: there is nothing to learn from")
    return names


def trainable(tasks: Sequence[Task], examples: Examples) -> list[Task]:
    """Return the tasks whose training rows have at least two classes."""
    train = examples.rows("train")
    return [
        task
        for task in tasks
        if len(np.setdiff1d(np.unique(examples.targets[task.name][train]), [UNKNOWN])) > 1
    ]


def label_counts(
    examples: Examples, tasks: Sequence[Task]
) -> tuple[dict[str, int], dict[str, int]]:
    """Count the labelled and the positive training rows of each task (N and n_f of eq. 11).

    Positive are the rows of every class but the task's negative one; a task that declares none has
    no count.
    """
    labelled, positives = {}, {}
    for task in tasks:
        truth = examples.targets[task.name][examples.rows("train")]
        labelled[task.name] = int((truth >= 0).sum())
        if task.negative is not None:
            negative = task.classes.index(task.negative)
            positives[task.name] = int(((truth >= 0) & (truth != negative)).sum())
    return labelled, positives


def _mean(array: np.ndarray) -> np.ndarray:
    return array.mean(axis=0, keepdims=True) if len(array) else array
