from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torchjd.aggregation import PCGradWeighting

from pipeline.mtl import build_mtl
from pipeline.mtl.pcgrad import projected_weights


def gradients(seed: int, k: int, d: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(k, d, generator=generator, dtype=torch.float64)


@settings(deadline=None, max_examples=50)
@given(st.integers(0, 1000), st.integers(1, 8), st.integers(1, 12))
def test_weights_are_torchjds(seed, k, d):
    G = gradients(seed, k, d)
    torch.manual_seed(seed)
    orders = torch.stack([torch.randperm(k) for _ in range(k)])
    torch.manual_seed(seed)
    torch.testing.assert_close(projected_weights(G @ G.T, orders), PCGradWeighting()(G @ G.T))


@given(st.floats(0.1, 10), st.floats(0.1, 10), st.floats(-1, -0.01))
def test_two_conflicting_gradients_are_orthogonal_to_each_other_afterwards(first, second, cosine):
    product = cosine * first * second
    A = torch.tensor([[first**2, product], [product, second**2]], dtype=torch.float64)
    expected = [1 - product / first**2, 1 - product / second**2]
    assert projected_weights(A, torch.tensor([[0, 1], [1, 0]])).tolist() == pytest.approx(expected)


def test_gradients_that_do_not_conflict_are_summed():
    G = gradients(0, 4, 6).abs()
    orders = torch.stack([torch.randperm(4) for _ in range(4)])
    assert projected_weights(G @ G.T, orders).tolist() == [1.0] * 4


def test_a_gradient_of_zero_changes_nothing():
    A = torch.tensor([[0.0, 0, 0], [0, 1, -1], [0, -1, 4]], dtype=torch.float64)
    orders = torch.tensor([[0, 1, 2]] * 3)
    assert projected_weights(A, orders).tolist() == [1.0, 2.0, 1.25]


def test_each_batch_takes_the_tasks_in_a_new_order(tasks, batch, step):
    torch.manual_seed(0)
    method = build_mtl("pcgrad", tasks).double()
    drawn = set()
    for _ in range(20):
        step(method, *batch)
        drawn.add(tuple(method.weights.values()))
    assert len(drawn) > 1
    assert min(map(min, drawn)) >= 1.0
