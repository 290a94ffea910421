"""The optimality conditions on easy and on deliberately hard hulls, and two independent solvers."""

from __future__ import annotations

from itertools import combinations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torchjd.aggregation import MGDAWeighting

from pipeline.mtl.moo import min_norm_weights


def random_gradients(seed: int, k: int, d: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    scales = 10 ** (2 * torch.rand(k, 1, generator=generator, dtype=torch.float64) - 1)
    shift = torch.rand(1, d, generator=generator, dtype=torch.float64)
    return scales * (torch.randn(k, d, generator=generator, dtype=torch.float64) + shift)


def assert_optimal(gradients: torch.Tensor, tolerance: float = 1e-8) -> None:
    """KKT: on the simplex, and no gradient lies below the hull's nearest point."""
    A = gradients @ gradients.T
    weights = min_norm_weights(A)
    assert (weights >= 0).all()
    assert weights.sum().item() == pytest.approx(1.0, abs=1e-12)
    slopes, scale = A @ weights, A.diagonal().max()
    value = weights @ slopes
    assert (slopes >= value - tolerance * scale).all()
    assert ((slopes - value)[weights > 1e-6].abs() <= tolerance * scale / 1e-6).all()


def enumerated(A: torch.Tensor) -> torch.Tensor:
    """Oracle: the best of the exact solutions on every support."""
    k, best, minimiser = len(A), torch.inf, None
    for size in range(1, k + 1):
        for support in map(list, combinations(range(k), size)):
            within = torch.ones(size + 1, size + 1, dtype=A.dtype)
            within[:size, :size] = A[support][:, support]
            within[size, size] = 0
            right = torch.zeros(size + 1, dtype=A.dtype)
            right[size] = 1
            solution = torch.linalg.lstsq(within, right[:, None], driver="gelsd").solution[:size, 0]
            weights = torch.zeros(k, dtype=A.dtype)
            weights[support] = solution
            if (solution >= -1e-12).all() and (value := weights @ A @ weights) < best:
                best, minimiser = value, weights
    assert minimiser is not None
    return minimiser


@settings(deadline=None, max_examples=200)
@given(st.integers(0, 10_000), st.integers(1, 10), st.integers(1, 12))
def test_kkt_holds_on_any_hull(seed, k, d):
    assert_optimal(random_gradients(seed, k, d))


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 10_000), st.integers(1, 5), st.integers(1, 7))
def test_the_norm_is_that_of_the_best_support(seed, k, d):
    gradients = random_gradients(seed, k, d)
    A = gradients @ gradients.T
    ours, oracle = min_norm_weights(A), enumerated(A)
    scale = A.diagonal().max()
    assert ((ours @ A @ ours - oracle @ A @ oracle) / scale).abs() < 1e-9


@pytest.mark.parametrize("seed", range(4))
def test_torchjd_agrees_as_far_as_it_converges(seed):
    """With 50 times its default number of iterations."""
    gradients = random_gradients(seed, 3, 6)
    A = gradients @ gradients.T
    oracle = MGDAWeighting(epsilon=1e-9, max_iters=5000)(A)
    ours = min_norm_weights(A)
    torch.testing.assert_close(ours, oracle, atol=5e-3, rtol=0)
    assert ours @ A @ ours <= (oracle @ A @ oracle) * (1 + 1e-9)


def test_the_optimality_conditions_hold_a_million_times_closer_than_with_torchjds_defaults():
    """The reason for a solver of our own."""
    ours, oracle = [], []
    for seed in range(30):
        gradients = random_gradients(seed, 7, 64)
        A = gradients @ gradients.T
        for weights, violations in ((min_norm_weights(A), ours), (MGDAWeighting()(A), oracle)):
            slopes = A @ weights
            violations.append(((weights @ slopes - slopes.min()) / A.diagonal().max()).item())
    assert max(ours) < 1e-11
    assert max(oracle) > 1e-5


@given(st.floats(0.01, 100), st.floats(0.01, 100), st.floats(-1, 1))
def test_two_tasks_have_the_papers_formula(first, second, cosine):
    v1, v2, v12 = first**2, second**2, cosine * first * second
    A = torch.tensor([[v1, v12], [v12, v2]], dtype=torch.float64)
    if v1 + v2 - 2 * v12 < 1e-4 * max(v1, v2):
        return  # equal gradients: any weights will do
    gamma = min(max((v2 - v12) / (v1 + v2 - 2 * v12), 0.0), 1.0)
    assert min_norm_weights(A).tolist() == pytest.approx([gamma, 1 - gamma], abs=1e-6)


@pytest.mark.parametrize(
    ("gramian", "expected"),
    [
        ([[3.0]], [1.0]),
        ([[4.0, -2.0], [-2.0, 1.0]], [1 / 3, 2 / 3]),  # opposite: by inverse norms
        (torch.diag(torch.tensor([1, 4, 0.25])), [1 / 5.25, 0.25 / 5.25, 4 / 5.25]),  # orthogonal
        (torch.diag(torch.tensor([1, 1e-12, 4e-12])), [0.0, 0.8, 0.2]),  # small ones by their size
        (torch.zeros(4, 4), [0.25] * 4),
        (torch.diag(torch.tensor([0.0, 2.0, 0.0])), [0.5, 0.0, 0.5]),  # zeros share all the weight
    ],
)
def test_hand_examples(gramian, expected):
    weights = min_norm_weights(torch.as_tensor(gramian, dtype=torch.float64))
    assert weights.tolist() == pytest.approx(expected, abs=1e-8)


def test_equal_gradients_share_evenly_and_the_others_are_not_affected():
    gradients = torch.tensor([[1.0, 0.2], [0.1, 1.0]], dtype=torch.float64)
    alone = min_norm_weights(gradients @ gradients.T)
    doubled = gradients[[0, 1, 1]]
    weights = min_norm_weights(doubled @ doubled.T)
    expected = [alone[0].item(), alone[1].item() / 2, alone[1].item() / 2]
    assert weights.tolist() == pytest.approx(expected, abs=1e-6)
    assert_optimal(doubled)


def test_the_order_of_tasks_does_not_matter():
    gradients = random_gradients(3, 6, 8)
    order = torch.tensor([3, 0, 5, 1, 4, 2])
    weights = min_norm_weights(gradients @ gradients.T)
    permuted = min_norm_weights(gradients[order] @ gradients[order].T)
    torch.testing.assert_close(permuted, weights[order], atol=1e-8, rtol=0)


@pytest.mark.parametrize("noise", [0.0, 1e-15, 1e-12, 1e-9, 1e-6, 1e-3])
@pytest.mark.parametrize("k", [2, 7, 40])
def test_it_ends_optimal_on_nearly_parallel_gradients(k, noise):
    generator = torch.Generator().manual_seed(k)
    base = torch.ones(1, 50, dtype=torch.float64)
    gradients = base + noise * torch.randn(k, 50, generator=generator, dtype=torch.float64)
    assert_optimal(gradients)


@pytest.mark.parametrize("smallest", [1e-12, 1e-6, 1e-3])
def test_it_ends_optimal_on_norms_of_any_size(smallest):
    gradients = random_gradients(1, 6, 4)
    sizes = torch.logspace(0, 1, 6, base=smallest, dtype=torch.float64)[:, None]
    assert_optimal(sizes * gradients)


def test_a_gramian_in_single_precision_will_do():
    gradients = random_gradients(5, 7, 3).float()  # rank 3: the rounding makes it indefinite
    weights = min_norm_weights(gradients @ gradients.T)
    assert weights.dtype == torch.float32
    A = gradients.double() @ gradients.double().T
    slopes = A @ weights.double()
    assert (slopes - weights.double() @ slopes).min() >= -1e-5 * A.diagonal().max()
