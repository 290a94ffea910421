"""The networks' own weights: of the vertices of the fusion graph, and of steps by attention.

Neither is a cause of the probabilities: later layers may ignore a vertex or a step of large weight.
`occlusion` and `shapley` measure what a part is worth.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from pipeline.explanation.probabilities import BATCH, outputs
from pipeline.models.fusion.base import Fusion
from pipeline.models.network import NetworkOutput, SeparateNetworks
from pipeline.training.examples import Batch, Examples
from pipeline.training.model import ModelSpec
from pipeline.training.predict import InDouble

VERTEX_COLUMNS = ["id", "task", "level", "vertex", "weight", "similarity"]
ATTENTION_COLUMNS = ["id", "task", "modality", "step", "weight"]


def vertex_weights(
    members: Sequence[InDouble], examples: Examples, rows: np.ndarray
) -> pd.DataFrame:
    """Return the fusion's weights, the mean over the members: a line per row and vertex.

    Columns are `id`, `task` (null unless each task has a network of its own), `level` (unimodal,
    bimodal, ...), `vertex` as in `vertex_name`, `weight`, and `similarity` of the vertex's two
    parts (null at the first level). A vertex with an absent modality is left out; the table
    is empty for a fusion without vertices.
    """
    parts: list[dict[str, Any]] = []
    for ids, batch, results in _passes(members, examples, rows):
        present = {name: (lengths > 0).numpy() for name, lengths in batch.lengths.items()}
        weights = _mean([result.fusion_weights for result in results])
        for task, prefix, fusion in _fusions(members):
            parts += _levels(ids, task, prefix, fusion, weights, present)
    return _table(parts, VERTEX_COLUMNS)


def attention_weights(
    members: Sequence[InDouble], spec: ModelSpec, examples: Examples, rows: np.ndarray
) -> pd.DataFrame:
    """Return each step's attention, the mean over the members: a line per row and step.

    Columns are `id`, `task` (null unless each task has a network of its own), `modality`, `step`
    from 0 and `weight`; a sequence's weights add up to 1. The table is empty for the encoder
    "pooled", which weighs all steps equally.
    """
    if spec.encoder == "pooled":
        return _table([], ATTENTION_COLUMNS)
    parts = []
    for ids, batch, results in _passes(members, examples, rows):
        weights = _mean([result.attention for result in results])
        for task, prefix, fusion in _fusions(members):
            for name in fusion.modalities:
                row, step = np.nonzero(_valid(batch.lengths[name]))
                columns = {"id": ids[row], "task": task, "modality": name, "step": step}
                parts.append({**columns, "weight": weights[prefix + name][row, step]})
    return _table(parts, ATTENTION_COLUMNS)


def vertex_name(vertex: Any) -> str:
    """Name a vertex by what it joins.

    >>> vertex_name((("audio", "text"), "visual"))
    '(audio + text) & visual'
    """
    if isinstance(vertex, str):
        return vertex
    return " & ".join(
        part if isinstance(part, str) else f"({' + '.join(_modalities(part))})" for part in vertex
    )


def _modalities(vertex: Any) -> list[str]:
    if isinstance(vertex, str):
        return [vertex]
    return list(dict.fromkeys(name for part in vertex for name in _modalities(part)))


def _passes(
    members: Sequence[InDouble], examples: Examples, rows: np.ndarray
) -> Iterator[tuple[np.ndarray, Batch, list[NetworkOutput]]]:
    """Yield the ids, the batch and the members' outputs of each batch."""
    ids = np.array(examples.ids, dtype=object)[rows]
    for number, batch in enumerate(examples.batches(rows, BATCH)):
        yield ids[number * BATCH : (number + 1) * BATCH], batch, outputs(members, batch)


def _fusions(members: Sequence[InDouble]) -> list[tuple[str | None, str, Fusion]]:
    """Task, prefix of the outputs' names, and fusion of each network within one member."""
    member: Any = members[0].network
    if not isinstance(member, SeparateNetworks):
        return [(None, "", member.fusion)]
    pairs: Any = zip(member.tasks, member.networks, strict=True)
    return [(task, f"{task}/", network.fusion) for task, network in pairs]


def _mean(outputs: list[dict[str, Tensor]]) -> dict[str, np.ndarray]:
    return {
        name: torch.stack([each[name].double() for each in outputs]).mean(dim=0).cpu().numpy()
        for name in outputs[0]
    }


def _levels(
    ids: np.ndarray,
    task: str | None,
    prefix: str,
    fusion: Fusion,
    weights: Mapping[str, np.ndarray],
    present: Mapping[str, np.ndarray],
) -> Iterator[dict[str, Any]]:
    for level, vertices in fusion.vertices.items():
        similarity = weights.get(f"{prefix}similarity.{level}")
        for column, vertex in enumerate(vertices):
            complete = np.all([present[name] for name in _modalities(vertex)], axis=0)
            yield {
                "id": ids[complete],
                "task": task,
                "level": level,
                "vertex": vertex_name(vertex),
                "weight": weights[prefix + level][complete, column],
                "similarity": np.nan if similarity is None else similarity[complete, column],
            }


def _valid(lengths: Tensor) -> np.ndarray:
    return np.arange(int(lengths.max())) < lengths.numpy()[:, None]


def _table(parts: list[dict[str, Any]], columns: list[str]) -> pd.DataFrame:
    tables = [pd.DataFrame(part, columns=columns) for part in parts if len(part["id"])]
    if not tables:
        return pd.DataFrame(columns=columns)
    return pd.concat([table.astype({"task": object}) for table in tables], ignore_index=True)
