"""Absent modalities: the smaller problem's result, and nothing of the absent row's content."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from pipeline.models.fusion import FUSIONS
from pipeline.models.fusion.hgfn import HGFN


@pytest.mark.parametrize("name", sorted(FUSIONS))
@given(count=st.integers(1, 6), rows=st.integers(1, 5), training=st.booleans(), data=st.data())
def test_content_of_absent_rows_reaches_no_value_and_no_gradient(
    name: str, count: int, rows: int, training: bool, data: st.DataObject, small: Any
) -> None:
    dims = {letter: 2 + index for index, letter in enumerate("abcdef"[:count])}
    fusion = small(name, dims).train(training)
    state = {key: value.clone() for key, value in fusion.state_dict().items()}
    presence = st.lists(st.booleans(), min_size=rows, max_size=rows)
    present = {letter: torch.tensor(data.draw(presence)) for letter in dims}
    clean = {letter: torch.randn(rows, dim).double() for letter, dim in dims.items()}
    results = []
    for content in (0.0, 1e30, float("nan"), float("inf")):
        fusion.load_state_dict(state)
        features = {
            letter: torch.where(present[letter][:, None], x, content).requires_grad_()
            for letter, x in clean.items()
        }
        out = fusion(features, present)
        loss = out.joint.sin().sum() + sum(level.cos().sum() for level in out.levels)
        inputs = [features[letter] for letter in sorted(dims)]
        gradients = torch.autograd.grad(
            loss, [*inputs, *fusion.parameters()], allow_unused=True, materialize_grads=True
        )
        assert out.joint.isfinite().all()
        assert all(gradient.isfinite().all() for gradient in gradients)
        for letter, gradient in zip(sorted(dims), gradients, strict=False):
            assert (gradient[~present[letter]] == 0).all()
        results.append([out.joint, *out.levels, *out.weights.values(), *gradients])
    for other in results[1:]:
        assert all(torch.equal(x, y) for x, y in zip(results[0], other, strict=True))


@pytest.mark.parametrize("name", sorted(FUSIONS))
@pytest.mark.parametrize("training", [True, False])
def test_a_row_without_any_modality_is_zeros_and_flagged(
    name: str, training: bool, batch: Any, small: Any
) -> None:
    dims = {"a": 3, "b": 4, "c": 5}
    fusion = small(name, dims).train(training)
    there = torch.tensor([True, False, True])
    out = fusion(batch(dims, 3), {letter: there for letter in dims})
    assert (out.joint[1] == 0).all()
    assert all((level[1] == 0).all() for level in out.levels)
    assert out.weights["absent"].tolist() == [False, True, False]
    assert all((value[1] == 0).all() for key, value in out.weights.items() if key != "absent")
    assert (out.joint[0] != 0).any()


@pytest.mark.parametrize("name", sorted(FUSIONS))
def test_no_mask_means_all_present(name: str, batch: Any, small: Any) -> None:
    dims = {"a": 3, "b": 4, "c": 5}
    fusion = small(name, dims).eval()
    features = batch(dims, 2)
    everything = {letter: torch.ones(2, dtype=torch.bool) for letter in dims}
    assert torch.equal(fusion(features).joint, fusion(features, everything).joint)


@pytest.mark.parametrize("name", sorted(set(FUSIONS) - {"hgfn"}))
@pytest.mark.parametrize("training", [True, False])
def test_without_the_last_modality_it_is_the_fusion_of_the_others(
    name: str, training: bool, batch: Any, small: Any
) -> None:
    dims = {"a": 3, "b": 5, "c": 4}
    fusion = small(name, dims).train(training)
    less = small(name, {"a": 3, "b": 5}).train(training)
    state = fusion.state_dict()
    less.load_state_dict({key: state[key] for key in less.state_dict()})
    features = batch(dims, 4)
    joint = fusion(features, {m: torch.full((4,), m != "c") for m in dims}).joint
    torch.testing.assert_close(
        joint[:, : less.joint_dim], less({m: features[m] for m in "ab"}).joint
    )
    assert (joint[:, less.joint_dim :] == 0).all()


def smaller_hgfn(fusion: HGFN, dims: dict[str, int], names: list[str]) -> HGFN:
    """The fusion of two modalities of three, with the same parameters at the same distances."""
    less = HGFN({name: dims[name] for name in names}, width=6).double()
    state = {key: value for key, value in fusion.state_dict().items() if key in less.state_dict()}
    positions = [fusion.modalities.index(name) for name in names]
    for new, old in enumerate(positions):
        for part in ("0.weight", "0.bias", "1.weight", "1.bias"):
            key = f"projections.{old}.{part}"
            state[f"projections.{new}.{part}"] = fusion.state_dict()[key]
    distance = positions[1] - positions[0]
    kernel = fusion.attention.conv.weight.detach().clone()
    kernel[:, :, [1, 3]] = kernel[:, :, [2 - distance, 2 + distance]]
    state["attention.conv.weight"] = kernel
    less.load_state_dict(state)
    return less


@pytest.mark.parametrize("names", [["a", "b"], ["b", "c"], ["a", "c"]])
def test_hgfn_without_one_of_three_is_the_hgfn_of_the_other_two(
    names: list[str], batch: Any
) -> None:
    dims = {"a": 3, "b": 4, "c": 5}
    fusion = HGFN(dims, width=6).double()
    features = batch(dims, 3)
    present = {name: torch.full((3,), name in names) for name in dims}
    out = fusion(features, present)
    less = smaller_hgfn(fusion, dims, names)({name: features[name] for name in names})
    torch.testing.assert_close(out.joint[:, :12], less.joint, rtol=1e-12, atol=1e-12)
    assert (out.levels[2] == 0).all()
    assert (out.weights["trimodal"] == 0).all()


def test_present_must_name_the_same_modalities(batch: Any) -> None:
    fusion = HGFN({"a": 3, "b": 4}, width=6).double()
    features: dict[str, Tensor] = batch({"a": 3, "b": 4}, 2)
    with pytest.raises(ValueError, match=r"present has \['a'\].*\['a', 'b'\]"):
        fusion(features, {"a": torch.ones(2, dtype=torch.bool)})
