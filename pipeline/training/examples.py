"""Batches of padded sequences and masked targets, from the index and feature files."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from pipeline import runtime
from pipeline.ground.data_set import DataSet
from pipeline.inputs.feature_file import FeatureFile, FeatureRows
from pipeline.inputs.parquet import read_table
from pipeline.mtl import Task
from pipeline.training.readers import Arrays, Padded, Readers, pad
from pipeline.training.tasks import load_tasks

UNKNOWN = -1
# Part of every result, since they decide the order of the batches.
WINDOW, BLOCK = 8192, 64


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
    """All samples of a data set: `sequences[m][i]` is [length, d_m], of length 0 where absent.

    With `readers` the sequences are not in memory, and batches are read ahead by processes.
    """

    ids: list[str]
    split: np.ndarray
    sequences: Mapping[str, Arrays]
    targets: dict[str, np.ndarray]
    readers: Readers | None = None

    @property
    def dims(self) -> dict[str, int]:
        """Width of each modality's features."""
        return {name: arrays[0].shape[1] for name, arrays in self.sequences.items()}

    def rows(self, split: str) -> np.ndarray:
        """Row numbers of one side of the split."""
        return np.flatnonzero(self.split == split)

    def keep(self, modalities: Sequence[str]) -> Examples:
        """Restrict the examples to some modalities."""
        return replace(self, sequences={name: self.sequences[name] for name in modalities})

    def present(self, modality: str) -> np.ndarray:
        """Return for each sample whether it has the modality."""
        arrays = self.sequences[modality]
        if isinstance(arrays, FeatureRows):
            return arrays.present
        return np.array([len(array) > 0 for array in arrays])

    def batches(
        self, rows: np.ndarray, size: int, order: np.random.Generator | None = None
    ) -> Iterator[Batch]:
        """Yield the rows in batches, in the order given or shuffled.

        Batches are the same whether they come from memory or from the readers.
        """
        rows = rows if order is None else shuffled(rows, order)
        batches = _slices(rows, size)
        inputs: Iterable[Padded] = (pad(self.sequences, batch) for batch in batches)
        if self.readers is not None:
            inputs = self.readers.read(list(self.sequences), batches)
        for batch, padded in zip(batches, inputs, strict=True):
            yield self._batch(batch, padded)

    def _batch(self, rows: np.ndarray, inputs: Padded) -> Batch:
        return Batch(
            {name: torch.from_numpy(padded) for name, (padded, _) in inputs.items()},
            {name: torch.from_numpy(lengths) for name, (_, lengths) in inputs.items()},
            {name: torch.from_numpy(values[rows]) for name, values in self.targets.items()},
        )


def shuffled(rows: np.ndarray, order: np.random.Generator) -> np.ndarray:
    """Permute up to WINDOW rows; of more, blocks of neighbours, then the rows of each window.

    Neighbours are read from the disk together, and every other row is then in the system's cache.
    """
    if len(rows) <= WINDOW:
        return order.permutation(rows)
    blocks = _slices(rows, BLOCK)
    mixed = np.concatenate([blocks[number] for number in order.permutation(len(blocks))])
    return np.concatenate([order.permutation(window) for window in _slices(mixed, WINDOW)])


def _slices(rows: np.ndarray, size: int) -> list[np.ndarray]:
    return [rows[start : start + size] for start in range(0, len(rows), size)]


def load_examples(
    index: pd.DataFrame,
    tasks: Sequence[Task],
    features: Mapping[str, Path],
    pooled: bool,
    copies: int = 1,
) -> Examples:
    """Load the features of every indexed sample.

    `features` maps each modality to its file. `pooled` averages each sequence to one vector, for
    data without a time axis worth modelling. The features stay in their files where `copies` of
    them exceed HGFN_MEMORY. Raises ValueError if a file's samples are not the index's.
    """
    stored, ids = {}, index["id"].tolist()
    for modality, path in features.items():
        file = FeatureFile(path)
        if file.ids != ids:
            raise ValueError(f"{path} and the index hold different samples; extract again")
        stored[modality] = file.rows(pooled)
    targets = targets_of(index, tasks)
    examples = Examples(ids, index["split"].to_numpy(str), stored, targets, Readers(stored))
    if sum(arrays.nbytes for arrays in stored.values()) > runtime.memory() // copies:
        return examples
    sequences = {name: list(arrays) for name, arrays in stored.items()}
    return replace(examples, sequences=sequences, readers=None)


def targets_of(index: pd.DataFrame, tasks: Sequence[Task]) -> dict[str, np.ndarray]:
    """Return each task's classes [rows] in the index's order; -1 where unknown.

    Raises ValueError naming the first task that the index lacks, or of which it has other classes.
    """
    for task in tasks:
        if task.name not in index:
            raise ValueError(f"the index has no task {task.name!r}; run `dvc repro`")
        if not index[task.name].dropna().between(0, len(task.classes) - 1).all():
            classes = ", ".join(task.classes)
            raise ValueError(
                f"the index has other classes of task {task.name!r} than {classes}; run `dvc repro`"
            )
    return {task.name: index[task.name].fillna(UNKNOWN).to_numpy(np.int64) for task in tasks}


def load_training_set(
    data: DataSet, modalities: Sequence[str], copies: int = 1
) -> tuple[Examples, tuple[Task, ...], list[str]]:
    """Load the examples and tasks that a network can learn, with notes on what is not as usual.

    Left out are the modalities that no training sample has, and the tasks whose training rows have
    fewer than two classes. `copies` is the number of processes that hold the features. Raises
    ValueError if no modality remains.
    """
    index = read_table(data.index)
    known = data.modalities_of(index)
    names = [name for name in known if name in modalities]
    if not names:
        raise ValueError(f"train.modalities has none of {data.name}'s: {', '.join(known)}")
    tasks = load_tasks(data.tasks)
    features = {name: data.features(name) for name in names}
    pooled = data.encoder_of(index) == "pooled"
    examples = load_examples(index, tasks, features, pooled, copies)
    present = present_modalities(examples)
    learnable = tuple(trainable(tasks, examples))
    left_out = [f"{name} (no training sample has it)" for name in names if name not in present]
    left_out += [f"{t.name} (fewer than two classes)" for t in tasks if t not in learnable]
    notes = [f"left out of training: {', '.join(left_out)}"] if left_out else []
    notes += [examples.readers.description] if examples.readers else []
    return examples.keep(present), learnable, notes


def present_modalities(examples: Examples) -> list[str]:
    """Return the modalities that some training sample has; raises ValueError if there are none."""
    train = examples.rows("train")
    names = [name for name in examples.sequences if examples.present(name)[train].any()]
    if not names:
        raise ValueError(
            "no training sample has any modality: there is nothing to learn from; the tables in "
            "data/<set>/failures/ say why"
        )
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
