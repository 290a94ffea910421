from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize

from pipeline.mtl.cagrad import conflict_averse_weights


def gradients(seed: int, k: int, d: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    scales = 10 ** (2 * torch.rand(k, 1, generator=generator, dtype=torch.float64) - 1)
    shift = 0.3 * (seed % 3) * torch.rand(1, d, generator=generator, dtype=torch.float64)
    return scales * torch.randn(k, d, generator=generator, dtype=torch.float64) + shift


def worst_gain(G: torch.Tensor, c: float) -> float:
    """Oracle: the dual problem by SLSQP, as the authors solve it; its value is the worst gain."""
    k, A = len(G), (G @ G.T).numpy()
    mean = np.full(k, 1 / k)
    radius = c * np.sqrt(mean @ A @ mean)
    bounds, total = [(0, 1)] * k, {"type": "eq", "fun": lambda w: w.sum() - 1}

    def dual(w):
        return w @ A @ mean + radius * np.sqrt(max(w @ A @ w, 0.0))

    options = {"ftol": 1e-12, "maxiter": 500}
    return float(minimize(dual, mean, bounds=bounds, constraints=total, options=options).fun)


@settings(deadline=None, max_examples=60)
@given(
    st.integers(0, 1000), st.integers(1, 10), st.integers(1, 12), st.sampled_from([0.1, 0.5, 0.9])
)
def test_the_worst_task_gains_as_much_as_the_authors_solver_finds_and_within_the_ball(
    seed, k, d, c
):
    G = gradients(seed, k, d)
    G = G / G.norm(dim=1).max()
    direction, mean = conflict_averse_weights(G @ G.T, c) @ G, G.mean(dim=0)
    assert (direction - mean).norm() <= c * mean.norm() * (1 + 1e-6)
    best = worst_gain(G, c)
    if best > 2e-3:  # almost stationary: the tolerance of ||G_w||^2 is no longer small
        assert (G @ direction).min().item() >= best * (1 - 1e-5) - 1e-8


def test_the_direction_of_two_gradients_by_hand():
    """The second gains nothing from G_0 = (1, 1), so G_w = G_2: d = G_0 + ||G_0||/2 G_2/||G_2||."""
    G = torch.tensor([[1.0, 3.0], [1.0, -1.0]], dtype=torch.float64)
    direction = conflict_averse_weights(G @ G.T, 0.5) @ G
    assert direction.tolist() == pytest.approx([1.5, 0.5])


@pytest.mark.parametrize("factor", [1e-8, 1e8])
def test_the_gradients_scale_does_not_matter(factor):
    G = gradients(4, 5, 7)
    expected = conflict_averse_weights(G @ G.T, 0.5)
    scaled = factor * G
    torch.testing.assert_close(conflict_averse_weights(scaled @ scaled.T, 0.5), expected)


@pytest.mark.parametrize("c", [0.0, 1e-7])
def test_without_a_distance_from_it_the_direction_is_the_mean_gradient(c):
    G = gradients(5, 4, 6)
    weights = conflict_averse_weights(G @ G.T, c)
    torch.testing.assert_close(weights @ G, G.mean(dim=0))


@pytest.mark.parametrize(
    "G",
    [
        [[1.0, 0.0], [-1.0, 0.0]],  # opposite: their mean is 0
        [[0.0, 0.0], [0.0, 0.0]],
        [[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0]],  # a third task conflicts with none
    ],
)
def test_at_a_stationary_point_the_mean_gradient_remains(G):
    G = torch.tensor(G, dtype=torch.float64)
    weights = conflict_averse_weights(G @ G.T, 0.5)
    assert weights.tolist() == pytest.approx([1 / len(G)] * len(G))
