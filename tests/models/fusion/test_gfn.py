"""GFN against its formulas, one row and one vertex at a time."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from pipeline.models.fusion.gfn import GFN, PresentBatchNorm

DIMS = {"a": 3, "b": 5, "c": 4}


def softmax(x: np.ndarray) -> np.ndarray:
    return np.exp(x - x.max()) / np.exp(x - x.max()).sum()


def elu(x: np.ndarray) -> np.ndarray:
    return np.where(x > 0, x, np.expm1(np.minimum(x, 0)))


def mlp(P: dict[str, np.ndarray], key: str, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    hidden = P[f"{key}.0.weight"] @ np.concatenate([a, b]) + P[f"{key}.0.bias"]
    hidden = np.where(hidden > 0, hidden, 0.2 * hidden)
    return np.tanh(P[f"{key}.2.weight"] @ hidden + P[f"{key}.2.bias"])


def encode(P: dict[str, np.ndarray], index: int, x: np.ndarray) -> np.ndarray:
    y = P[f"encoders.{index}.0.weight"] @ x + P[f"encoders.{index}.0.bias"]
    y = (y - y.mean()) / np.sqrt(y.var() + 1e-5)
    return np.tanh(y * P[f"encoders.{index}.1.weight"] + P[f"encoders.{index}.1.bias"])


def reference(
    fusion: GFN, row: dict[str, np.ndarray]
) -> tuple[list[np.ndarray], dict[str, dict[Any, float]]]:
    """Levels U, B, T of the present modalities before the batch normalisation, and weights."""
    P = {name: value.detach().numpy() for name, value in fusion.named_parameters()}
    x = {m: encode(P, fusion.modalities.index(m), value) for m, value in sorted(row.items())}
    zero = np.zeros(fusion.level_dims[0])
    u, bias = P["importance.weight"][0], P["importance.bias"][0]
    s = {m: 1 / (1 + np.exp(-(u @ x[m] + bias))) for m in x}
    U = sum((s[m] * x[m] for m in x), zero) / max(len(x), 1)

    pairs = list(combinations(x, 2))
    q = {(i, j): (s[i] + s[j]) / (softmax(x[i]) @ softmax(x[j]) + 0.5) for i, j in pairs}
    n = dict(zip(pairs, softmax(np.array(list(q.values()))), strict=True)) if pairs else {}
    V = {(i, j): mlp(P, "networks.0", x[i], x[j]) for i, j in pairs}
    y = {pair: elu(n[pair] * V[pair]) for pair in pairs}

    q3, raw = {}, {}
    for i, j, k in combinations(x, 3):
        for left, right in [
            ((i, j), (j, k)),
            ((i, j), (i, k)),
            ((j, k), (i, k)),
            ((i, j), k),
            ((j, k), i),
            ((i, k), j),
        ]:
            pair = isinstance(right, tuple)
            other = softmax(V[right] if pair else x[right])
            top = q[left] + (q[right] if pair else s[right])
            q3[left, right] = top / (softmax(V[left]) @ other + 0.5)
            raw[left, right] = mlp(P, "networks.1", y[left], y[right] if pair else x[right])
    n3 = dict(zip(q3, softmax(np.array(list(q3.values()))), strict=True)) if q3 else {}
    levels = [U, sum(y.values(), zero), sum((elu(n3[v] * raw[v]) for v in raw), zero)]
    weights = {"unimodal": s, "bimodal": n, "trimodal": n3}
    return levels[: len(fusion.level_dims)], weights


@given(count=st.integers(1, 5), data=st.data())
def test_levels_and_weights_equal_the_formulas_written_out_vertex_by_vertex(
    count: int, data: st.DataObject, filled: Any, batch: Any
) -> None:
    dims = {name: 3 + index for index, name in enumerate("abcde"[:count])}
    fusion = filled(GFN(dims, width=6, hidden=4))
    features = batch(dims, 2)
    chosen = st.sets(st.sampled_from(sorted(dims)))
    rows = [data.draw(chosen), data.draw(chosen)]
    out = fusion(features, {m: torch.tensor([m in row for row in rows]) for m in dims})
    for index, names in enumerate(rows):
        row = {m: features[m][index].numpy() for m in names}
        levels, weights = reference(fusion, row)
        for level, expected in zip(out.levels, levels, strict=True):
            np.testing.assert_allclose(level[index].detach(), expected, rtol=1e-9, atol=1e-12)
        for name, labels in fusion.vertices.items():
            columns = [weights[name].get(label, 0.0) for label in labels]
            np.testing.assert_allclose(out.weights[name][index], columns, rtol=1e-9, atol=1e-12)


def test_joint_is_the_batch_normalised_concatenation(batch: Any) -> None:
    fusion = GFN(DIMS, width=6).double().train()
    out = fusion(batch(DIMS, 8))
    joint = torch.cat(out.levels, dim=1)
    expected = (joint - joint.mean(dim=0)) / (joint.var(dim=0, correction=0) + 1e-5).sqrt()
    torch.testing.assert_close(out.joint, expected)


@pytest.mark.parametrize("width", [64, 512])
def test_similarity_is_about_one_over_the_width_whatever_the_inputs(width: int) -> None:
    fusion = GFN(DIMS, width=width)
    weights = fusion({m: 5 * torch.randn(32, dim) for m, dim in DIMS.items()}).weights
    for name in ("similarity.bimodal", "similarity.trimodal"):
        assert ((weights[name] * width - 1).abs() < 0.5).all()
        assert weights[name].std() < 0.1 / width + 2e-3


@pytest.mark.parametrize("rows", [[True, True, True, True], [True, False, True, True]])
def test_present_rows_are_normalised_as_without_the_absent_ones(rows: list[bool]) -> None:
    present = torch.tensor(rows)
    norm, reference_norm = PresentBatchNorm(3), nn.BatchNorm1d(3)
    with torch.no_grad():
        norm.bias.fill_(0.5)
        reference_norm.bias.fill_(0.5)
    x = 2 + 3 * torch.randn(4, 3)
    for _ in range(2):  # in training, then in evaluation
        out = norm(x, present)
        torch.testing.assert_close(out[present], reference_norm(x[present]))
        assert (out[~present] == 0).all()
        torch.testing.assert_close(norm.state_dict(), reference_norm.state_dict())
        norm.eval()
        reference_norm.eval()


def test_one_row_in_training_takes_the_running_statistics_and_leaves_them() -> None:
    norm = PresentBatchNorm(3)
    for _ in range(50):
        norm(5 + 2 * torch.randn(32, 3), torch.ones(32, dtype=torch.bool))
    before = {key: value.clone() for key, value in norm.state_dict().items()}
    x = torch.randn(1, 3)
    present = torch.tensor([True])
    torch.testing.assert_close(norm(x, present), norm.eval()(x, present))
    torch.testing.assert_close(dict(norm.state_dict()), before)
