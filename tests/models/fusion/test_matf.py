from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest
import torch
from torch import nn

from pipeline.models.fusion.matf import MATF

DIMS = {"a": 3, "b": 5, "c": 4}
Side = list[tuple[int, int]]


def encodings(fusion: MATF, features: dict[str, torch.Tensor]) -> torch.Tensor:
    pairs = zip(fusion.encoders, sorted(features), strict=True)
    return torch.stack([encode(features[name]) for encode, name in pairs], dim=1)


def reference(fusion: MATF, e: torch.Tensor, cells: Side, names: list[int]) -> torch.Tensor:
    """Joint of the chosen modalities (positions), written out on an explicit canvas."""
    side = fusion.side
    canvas = torch.zeros(len(e), e.shape[2], side, side, dtype=e.dtype)
    for m in names:
        y, x = cells[m]
        canvas[:, :, y, x] = torch.maximum(canvas[:, :, y, x], e[:, m])
    out = fine = fusion.fine(canvas)
    if fusion.coarse is not None:
        # Maximum over blocks of 2 by 2 that may stick out of the grid, then the upper scale.
        out = fine.new_full((*fine.shape[:2], side + side % 2, side + side % 2), -torch.inf)
        out[:, :, :side, :side] = fine
        pooled = out.unflatten(2, (-1, 2)).unflatten(4, (-1, 2)).amax(dim=(3, 5))
        up = fusion.coarse[1:](pooled)
        out = fine + up[:, :, :side, :side]
    joint = torch.zeros_like(e)
    for m in names:
        y, x = cells[m]
        joint[:, m] = out[:, :, y, x] + e[:, m]
    return joint.flatten(1)


@pytest.mark.parametrize(
    ("count", "side"), [(1, 1), (2, 2), (3, 2), (4, 2), (5, 3), (6, 3), (9, 3), (10, 4)]
)
def test_equals_an_explicit_canvas(count: int, side: int, batch: Any) -> None:
    dims = {name: 2 + index for index, name in enumerate("abcdefghij"[:count])}
    fusion = MATF(dims, width=4).double()
    assert fusion.side == side
    features = batch(dims, 3)
    cells = [(m // side, m % side) for m in range(count)]
    expected = reference(fusion, encodings(fusion, features), cells, list(range(count)))
    torch.testing.assert_close(fusion(features).joint, expected)


@pytest.mark.parametrize("absent", [(), ("a",), ("b",), ("c",), ("a", "c"), ("a", "b", "c")])
def test_an_absent_modality_leaves_its_cell_empty(absent: tuple[str, ...], batch: Any) -> None:
    fusion = MATF(DIMS, width=4).double()
    features = batch(DIMS, 2)
    present = {name: torch.full((2,), name not in absent) for name in DIMS}
    names = [m for m, name in enumerate(sorted(DIMS)) if name not in absent]
    expected = reference(fusion, encodings(fusion, features), [(0, 0), (0, 1), (1, 0)], names)
    torch.testing.assert_close(fusion(features, present).joint, expected)


def test_zero_convolutions_leave_the_encodings(batch: Any) -> None:
    fusion = MATF(DIMS, width=4).double()
    with torch.no_grad():
        for name, parameter in fusion.named_parameters():
            if not name.startswith("encoders"):
                parameter.zero_()
    features = batch(DIMS, 3)
    assert torch.equal(fusion(features).joint, encodings(fusion, features).flatten(1))


@pytest.mark.parametrize("count", [2, 3, 4, 5])
def test_every_modality_reaches_every_part_of_the_result(count: int, batch: Any) -> None:
    dims = {name: 3 for name in "abcde"[:count]}
    fusion = MATF(dims, width=16).double()
    features = {name: x.requires_grad_() for name, x in batch(dims, 4).items()}
    parts = fusion(features).joint.unflatten(1, (count, -1))
    for m in range(count):
        gradients = torch.autograd.grad(
            parts[:, m].square().sum(), list(features.values()), retain_graph=True
        )
        assert all((gradient != 0).any() for gradient in gradients)


@pytest.mark.parametrize("symmetric", [False, True])
def test_swapping_modalities_permutes_the_result_only_with_symmetric_kernels(
    symmetric: bool, batch: Any
) -> None:
    fusion = MATF({"a": 4, "b": 4}, width=4).double()
    with torch.no_grad():
        if symmetric:  # two modalities are side by side in the grid
            for parameter in fusion.parameters():
                if parameter.ndim == 4:
                    parameter.copy_((parameter + parameter.flip(3)) / 2)
    swapped = deepcopy(fusion)
    swapped.encoders = nn.ModuleList(reversed(fusion.encoders))
    features = batch({"a": 4, "b": 4}, 3)
    joint = fusion(features).joint.unflatten(1, (2, -1))
    other = swapped({"a": features["b"], "b": features["a"]}).joint.unflatten(1, (2, -1)).flip(1)
    assert torch.allclose(joint, other, atol=1e-6) == symmetric


def test_a_learned_scene_is_a_parameter_that_starts_inert(batch: Any) -> None:
    fusion = MATF(DIMS, width=4, scene="learned").double()
    assert fusion.scene is not None
    assert fusion.fine[0].in_channels == 8
    fusion(batch(DIMS, 2)).joint.square().sum().backward()
    assert fusion.scene.grad is not None
    assert (fusion.scene.grad != 0).any()
