"""HGFN against its equations, written out one row and one vertex at a time in numpy."""

from __future__ import annotations

from itertools import combinations
from typing import Any, NamedTuple

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.models.fusion.hgfn import HGFN

Row = dict[str, np.ndarray]  # the present modalities' vectors


class ReferenceRow(NamedTuple):
    levels: list[np.ndarray]
    weights: dict[str, dict[Any, np.ndarray]]  # level -> vertex -> softmaxed weight
    similarity: dict[str, dict[Any, float]]


def leaky(x: np.ndarray) -> np.ndarray:
    return np.where(x > 0, x, 0.01 * x)


def softmax(x: np.ndarray) -> np.ndarray:
    e = np.exp(x - x.max(axis=0))
    return e / e.sum(axis=0)


def normal(x: np.ndarray) -> np.ndarray:
    return (x - x.mean()) / np.sqrt(x.var() + 1e-5)


def cosine(a: np.ndarray, b: np.ndarray) -> float:
    a, b = softmax(a), softmax(b)
    return float(a @ b / np.sqrt((a @ a) * (b @ b)))


def align(P: Row, row: Row, names: tuple[str, ...], width: int) -> Row:
    out = {}
    for name, x in row.items():
        key = f"projections.{names.index(name)}"
        if f"{key}.0.weight" not in P:
            out[name] = np.concatenate([x, np.zeros(width - len(x))])
            continue
        out[name] = P[f"{key}.0.weight"] @ x + P[f"{key}.0.bias"]
        if f"{key}.1.weight" in P:
            out[name] = normal(out[name]) * P[f"{key}.1.weight"] + P[f"{key}.1.bias"]
    return out


def importance(P: Row, units: Row, names: tuple[str, ...], options: dict[str, str]) -> Row:
    kernel = P["attention.conv.weight"][:, 0]  # (c, rows, 5)
    out = {}
    for name in units:
        maps = []
        for c in range(len(kernel)):
            total = P["attention.conv.bias"][c]
            for other, x in units.items():
                tap = names.index(other) - names.index(name) + kernel.shape[1] // 2
                total = total + np.correlate(np.pad(x, 2), kernel[c, tap], "valid")
            maps.append(leaky(total))
        w = leaky(P["attention.mix.weight"][0, :, 0, 0] @ np.stack(maps) + P["attention.mix.bias"])
        if options.get("weight") == "attention":
            scores = P["attention.score.weight"][0, :, 0, 0] @ np.stack(maps)
            share = softmax(scores + P["attention.score.bias"] + P["attention.position"])
            w = (share * w).sum(keepdims=True)
        elif options.get("weight") != "vector":
            w = w.mean(keepdims=True)
        out[name] = 1 / (1 + np.exp(-w)) if options.get("gate") == "sigmoid" else w
    return across_rows(P, 0, {n: out[n] for n in units}, list(names), options)


def across_rows(P: Row, level: int, scores: Row, vertices: list[Any], options: dict) -> Row:
    """The scores that all rows share where the vertex weights are not learned."""
    kind = options.get("vertex_weights", "learned")
    if kind == "uniform":
        return {v: np.ones_like(score) for v, score in scores.items()}
    if kind == "mean":
        return {v: P[f"scores.{level}.mean"][vertices.index(v)] for v in scores}
    return scores


def vertex(P: Row, level: int, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    signal = np.pad(np.concatenate([a, b]), 2)
    conv, dense = f"networks.{level}.conv", f"networks.{level}.dense"
    maps = [
        leaky(np.correlate(signal, kernel[0], "valid") + bias)
        for kernel, bias in zip(P[f"{conv}.weight"], P[f"{conv}.bias"], strict=True)
    ]
    return leaky(P[f"{dense}.weight"] @ np.concatenate(maps) + P[f"{dense}.bias"])


def reference_hgfn(fusion: HGFN, row: Row, theta: float, **options: str) -> ReferenceRow:
    P = {name: value.detach().numpy() for name, value in fusion.state_dict().items()}
    names = fusion.modalities
    width = fusion.level_dims[0]
    units = align(P, row, names, width)
    w = importance(P, units, names, options)
    uni = sum((w[n] * units[n] for n in units), np.zeros(width)) / max(len(units), 1)
    levels, weights, similarity = [uni], {}, {}
    pool: dict[Any, tuple[np.ndarray, np.ndarray]] = {n: (units[n], w[n]) for n in units}
    for index, name in enumerate(list(fusion.vertices)[1:]):
        labels = [v for v in fusion.vertices[name] if v[0] in pool and v[1] in pool]
        V = {v: vertex(P, index, pool[v[0]][0], pool[v[1]][0]) for v in labels}
        compared = {
            v: normal(x) if options.get("vertex_norm") == "layer" and v not in units else x
            for v, (x, _) in pool.items()
        }
        S = {v: cosine(compared[v[0]], compared[v[1]]) for v in labels}
        q = {v: (pool[v[0]][1] + pool[v[1]][1]) / (S[v] + theta) for v in labels}
        q = across_rows(P, index + 1, q, fusion.vertices[name], options)
        share = softmax(np.stack([q[v] for v in labels])) if labels else np.zeros((0, 1))
        share = dict(zip(labels, share, strict=True))
        levels.append(sum((share[v] * V[v] for v in labels), np.zeros(width)))
        weights[name], similarity[name] = share, S
        pool = {n: (units[n], w[n]) for n in units}
        complete = {frozenset(members(v)) for v in labels}
        for support in combinations(names, index + 2):
            inside = [v for v in labels if members(v) == set(support)]
            if inside:
                r = softmax(np.stack([q[v] for v in inside]))
                mean_q = sum(r[i] * q[v] for i, v in enumerate(inside))
                carried = sum(share[v] for v in inside)
                merged = sum(r[i] * V[v] for i, v in enumerate(inside))
                carry = {"q": mean_q, "scaled": len(complete) * carried}
                pool[support] = merged, carry.get(options.get("tri_weight", "w"), carried)
    return ReferenceRow(levels, weights, similarity)


def members(label: Any) -> set[str]:
    return {label} if isinstance(label, str) else set().union(*(members(x) for x in label))


@settings(max_examples=8)
@given(count=st.integers(1, 5), data=st.data())
def test_equals_the_equations_written_out_for_the_modalities_present(
    hgfn_options: dict[str, Any],
    count: int,
    data: st.DataObject,
    filled: Any,
    batch: Any,
) -> None:
    dims = {name: 5 + index for index, name in enumerate("abcde"[:count])}
    fusion = filled(HGFN(dims, width=9, theta=0.3, max_order=count, **hgfn_options))
    for index, scores in enumerate(fusion.scores):
        for mean in scores.buffers():
            mean.copy_(torch.sin(torch.arange(mean.numel()) + index).view_as(mean))
    fusion.eval()
    features = batch(dims, 2)
    rows = [set(dims), data.draw(st.sets(st.sampled_from(sorted(dims))))]
    out = fusion(features, {m: torch.tensor([m in row for row in rows]) for m in dims})
    for row, names in enumerate(rows):
        vectors = {m: features[m][row].numpy() for m in sorted(names)}
        expected = reference_hgfn(fusion, vectors, theta=0.3, **hgfn_options)
        for level, reference in zip(out.levels, expected.levels, strict=True):
            np.testing.assert_allclose(level[row].detach(), reference, rtol=1e-8, atol=1e-11)
        for name, weights in expected.weights.items():
            for key, values in ((name, weights), (f"similarity.{name}", expected.similarity[name])):
                columns = [np.mean(values.get(v, 0.0)) for v in fusion.vertices[name]]
                np.testing.assert_allclose(out.weights[key][row], columns, rtol=1e-8, atol=1e-11)
