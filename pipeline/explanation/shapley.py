"""Shapley values of the modalities (Shapley 1953): exact, from a pass for each set of them."""

from __future__ import annotations

from collections.abc import Sequence
from math import factorial

import numpy as np

from pipeline.explanation.probabilities import BATCH, joined, mean_probabilities, without
from pipeline.mtl import Task
from pipeline.training.examples import Batch, Examples
from pipeline.training.model import ModelSpec
from pipeline.training.predict import InDouble


def modality_shapley(
    members: Sequence[InDouble], spec: ModelSpec, examples: Examples, rows: np.ndarray
) -> dict[str, np.ndarray]:
    """Share each row's probabilities among its modalities: [rows, modalities, classes] by task.

    Modalities are in alphabetical order. A row's values add up to its probabilities minus those of
    the network without any input; an absent modality has 0. Takes 2^M passes.
    """
    values = coalition_probabilities(members, spec, examples, rows)
    return {task: shapley_values(v) for task, v in values.items()}


def coalition_probabilities(
    members: Sequence[InDouble], spec: ModelSpec, examples: Examples, rows: np.ndarray
) -> dict[str, np.ndarray]:
    """Predict [rows, 2^M, classes] probabilities of each task, with each set of modalities alone.

    Set k holds modality m, in alphabetical order, where bit m of k is 1: set 0 is no input at all,
    and the last one every modality that the row has.
    """
    modalities = sorted(spec.modalities)
    batches = examples.batches(rows, BATCH)
    return joined(_coalitions(members, spec.tasks, modalities, batch) for batch in batches)


def _coalitions(
    members: Sequence[InDouble], tasks: Sequence[Task], modalities: Sequence[str], batch: Batch
) -> dict[str, np.ndarray]:
    passes = []
    for coalition in range(2 ** len(modalities)):
        removed = [name for m, name in enumerate(modalities) if not coalition >> m & 1]
        passes.append(mean_probabilities(members, without(batch, removed), tasks))
    return {task.name: np.stack([p[task.name] for p in passes], axis=1) for task in tasks}


def shapley_values(values: np.ndarray) -> np.ndarray:
    """Return the Shapley values [rows, players, ...] of a game's values [rows, 2^players, ...].

    phi_m = sum over sets S without m of |S|! (M - |S| - 1)! / M! (v(S with m) - v(S)). Bit m of a
    set's number says whether it holds player m. Raises ValueError for another number of sets.
    """
    players = int(values.shape[1]).bit_length() - 1
    if values.shape[1] != 2**players:
        raise ValueError(f"{values.shape[1]} sets of players; expected a power of 2")
    sets = np.arange(2**players)
    shares = []
    for player in range(players):
        without_player = sets[(sets >> player & 1) == 0]
        sizes = [int(k).bit_count() for k in without_player]
        orders = [factorial(size) * factorial(players - size - 1) for size in sizes]
        gains = values[:, without_player | 1 << player] - values[:, without_player]
        weights = np.array(orders) / factorial(players)
        shares.append(np.tensordot(weights, gains, axes=(0, 1)))
    return np.stack(shares, axis=1)
