from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pipeline.models.fusion.pair_network import PairNetwork
from pipeline.models.fusion.vertices import plan_levels


def one_by_one(network: PairNetwork, pool: torch.Tensor) -> torch.Tensor:
    pairs = zip(network.left.tolist(), network.right.tolist(), strict=True)
    vertices = [network.one_vertex(torch.cat([pool[:, a], pool[:, b]], dim=1)) for a, b in pairs]
    return torch.stack(vertices, dim=1)


# Widths below 6 are too narrow for a part away from the seam.
@given(
    width=st.integers(1, 12),
    count=st.integers(2, 6),
    level=st.integers(0, 2),
    rows=st.integers(0, 3),
)
def test_batched_vertices_equal_one_call_a_vertex(
    same_function: Any, width: int, count: int, level: int, rows: int
) -> None:
    plans = plan_levels(tuple("abcdef"[:count]), min(count, 4))
    plan = plans[min(level, len(plans) - 1)]
    network = PairNetwork(plan.pairs, width, channels=3).double()
    size = max(max(pair) for pair in plan.pairs) + 1
    pool = torch.randn(rows, size, width, dtype=torch.float64, requires_grad=True)
    same_function(network(pool), one_by_one(network, pool), [pool, *network.parameters()])


@pytest.mark.parametrize("count", [2, 3, 6])
def test_parameters_do_not_grow_with_the_number_of_modalities(count: int) -> None:
    plan = plan_levels(tuple("abcdef"[:count]), 2)[0]
    network = PairNetwork(plan.pairs, 8, channels=2)
    assert sum(p.numel() for p in network.parameters()) == (2 * 5 + 2) + (2 * 8 * 2 * 8 + 8)


def test_swapping_the_two_partners_changes_the_vertex() -> None:
    network = PairNetwork(((0, 1), (1, 0)), 8, channels=2)
    vertices = network(torch.randn(1, 2, 8))
    assert not torch.allclose(vertices[:, 0], vertices[:, 1], atol=1e-3)


def test_dense_layer_starts_as_linear_does() -> None:
    network = PairNetwork(((0, 1),), 64, channels=4)
    weights = torch.cat([part.flatten() for part in network.dense])
    reference = torch.nn.Linear(2 * 64 * 4, 64).weight
    assert weights.numel() == reference.numel()
    assert weights.abs().max() <= (2 * 64 * 4) ** -0.5
    torch.testing.assert_close(weights.std(), reference.std(), rtol=0.02, atol=0)


def test_partners_are_not_part_of_the_saved_state() -> None:
    assert set(PairNetwork(((0, 1),), 8, channels=2).state_dict()) == {
        "conv.weight",
        "conv.bias",
        "dense.0",
        "dense.1",
        "dense.2",
        "bias",
    }
