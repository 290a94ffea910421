"""Eq. 11 by hand, its gradient by double backward, and what it does and does not do to w."""

from __future__ import annotations

import warnings

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.mtl import Task
from pipeline.mtl.balancing import (
    MINIMUM_WEIGHT,
    balancing_gradient,
    inverse_distribution_ratios,
    inverse_training_rates,
    rebalanced,
    renormalised,
)
from pipeline.mtl.labelled import labelled_tasks, last_layer_gradients, mean_losses


def vector(*values: float) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64)


POSITIVE = st.floats(1e-3, 1e3)
THREE = st.tuples(POSITIVE, POSITIVE, POSITIVE).map(lambda values: vector(*values))
# Within the least weight of each other.
NEAR = st.tuples(*[st.floats(0.2, 5.0)] * 3).map(lambda values: vector(*values))
RARE = vector(1.5, 2.1, 9.0)
EVEN = vector(1.0, 1.0, 1.0)
TASKS = (Task("rare", ("n", "y"), negative="n"), Task("kind", ("a", "b", "c")))


def test_hand_example_of_equation_11():
    # G = (1, 2, 6), mean 3; r = (2, 1, 0.5) by losses (1, 0.5, 0.25) of 1; targets 3 r.
    weights, norms = vector(0.5, 1.0, 1.5), vector(2.0, 2.0, 4.0)
    rates = inverse_training_rates(vector(1.0, 0.5, 0.25), vector(1.0, 1.0, 1.0))
    assert rates.tolist() == pytest.approx([12 / 7, 6 / 7, 3 / 7], abs=1e-15)
    rates, ratios = vector(2.0, 1.0, 0.5), vector(1.5, 2.0, 10.0)
    gradient = balancing_gradient(weights, norms, rates, ratios, 1.0)
    assert gradient.tolist() == [-1.5 * 2.0, -2.0 * 2.0, 10.0 * 4.0]


def test_hand_example_of_rebalancing():
    # s = max / L = (1, 3, 12); weights 3 s / 16.
    weights = rebalanced(EVEN, vector(0.6, 0.2, 0.05), 3.0)
    assert weights.tolist() == pytest.approx([3 / 16, 9 / 16, 36 / 16], abs=1e-14)


@pytest.mark.parametrize("alpha", [0.0, 0.5, 1.0, 1.5])
def test_closed_form_is_double_backward(tasks, toy, make_inputs, make_labels, alpha):
    network, targets = toy(tasks), make_labels(tasks, 12)
    predictions = network(make_inputs(12))
    labelled = labelled_tasks(tasks, targets)
    losses = mean_losses(labelled, predictions.logits, 2.0)
    rates = inverse_training_rates(losses.detach(), vector(0.9, 0.4, 1.0, 0.2))
    ratios = vector(4.0, 2.0, 8.0, 1.0)
    # The oracle: GradNorm's own way, through the graph of the gradients.
    weights = vector(0.5, 1.7, 1.0, 0.8).requires_grad_()
    weighted = [
        torch.autograd.grad(w * loss, layer.weight, create_graph=True)[0].norm()
        for w, loss, layer in zip(weights, losses, network.last, strict=True)
    ]
    G = torch.stack(weighted)
    L_TDB = (ratios * (G - G.mean().detach() * rates**alpha).abs()).sum()
    (expected,) = torch.autograd.grad(L_TDB, weights)
    gradients = last_layer_gradients(labelled, predictions.logits, predictions.hidden, 2.0)
    norms = torch.stack([gradient.norm() for gradient in gradients])
    closed = balancing_gradient(weights.detach(), norms, rates, ratios, alpha)
    torch.testing.assert_close(closed, expected, atol=1e-10, rtol=1e-10)


@given(THREE, THREE, st.floats(0.1, 10))
def test_relative_rates_have_mean_one_and_ignore_the_scale(losses, start, scale):
    rates = inverse_training_rates(losses, start)
    assert rates.mean().item() == pytest.approx(1.0)
    torch.testing.assert_close(inverse_training_rates(scale * losses, start), rates)


def test_rates_survive_losses_of_zero():
    zeros = torch.zeros(3)
    assert inverse_training_rates(zeros, zeros).isfinite().all()
    assert inverse_training_rates(zeros, torch.ones(3)).tolist() == [0.0, 0.0, 0.0]


@given(st.lists(st.floats(-1e3, 1e3), min_size=1, max_size=8))
def test_renormalised_weights_are_positive_and_keep_their_sum(values):
    weights = renormalised(vector(*values), float(len(values)))
    assert weights.sum().item() == pytest.approx(len(values))
    assert (weights > 0).all()


@given(NEAR)
def test_rebalancing_makes_all_weighted_losses_equal(means):
    weights = rebalanced(EVEN, means, 3.0)
    weighted = weights * means
    torch.testing.assert_close(weighted, weighted.mean().expand(3))


@given(NEAR, NEAR)
def test_reset_is_multiplication_by_the_weighted_losses_scalars(weights, means):
    weights = 3 * weights / weights.sum()
    weighted = weights * means
    multiplied = weights * weighted.max() / weighted
    expected = 3 * multiplied / multiplied.sum()
    torch.testing.assert_close(rebalanced(EVEN, means, 3.0), expected)


def test_multiplying_by_the_unweighted_scalars_diverges_where_the_reset_is_a_fixed_point():
    means, weights = vector(0.6, 0.2, 0.05), EVEN
    for expected in [(0.19, 0.56, 2.25), (0.020, 0.18, 2.8), (0.0017, 0.046, 2.95)]:
        weights = rebalanced(weights, means, 3.0)
        assert weights.tolist() == pytest.approx(expected, rel=0.06)
    # Down to the least weight that a task may have.
    assert rebalanced(weights, means, 3.0)[0].item() == pytest.approx(MINIMUM_WEIGHT, rel=0.01)
    assert torch.equal(rebalanced(EVEN, means, 3.0), rebalanced(EVEN, means, 3.0))


def test_rebalancing_neither_overflows_nor_drops_below_the_floor_by_more_than_the_scaling():
    weights = rebalanced(torch.ones(3), torch.tensor([1e-38, 1.0, 1e30]), 3.0)
    assert weights.isfinite().all()
    assert (weights > 0.99e-3).all()


@torch.no_grad()
def settle(
    ratios, *, optimizer=torch.optim.SGD, rate=1e-2, alpha=0.0, relative=True, left=1.0, steps=1500
):
    """Run eq. 11 alone on three tasks of constant gradient norms, with a rate falling to 0."""
    norms, start, weights = vector(0.1, 0.2, 0.6), EVEN, EVEN.clone().requires_grad_()
    rates = inverse_training_rates(left * start, start, relative)
    descent = optimizer([weights], lr=rate)
    for descent.param_groups[0]["lr"] in torch.linspace(rate, 0, steps).tolist():
        weights.grad = balancing_gradient(weights, norms, rates, ratios, alpha)
        descent.step()
        weights.copy_(renormalised(weights, 3.0))
    return weights.detach() * norms


@pytest.mark.parametrize("ratios", [EVEN, RARE])
def test_sgd_settles_where_all_weighted_gradients_are_equal_whatever_the_ratios(ratios):
    settled = settle(ratios)
    # Equal w_f g_f with sum w = 3: 3 / (10 + 5 + 5/3) = 0.18 each.
    assert settled.tolist() == pytest.approx([0.18] * 3, rel=0.02)


def test_ratios_change_the_speed_of_sgd():
    few = [settle(ratios, rate=1e-3, steps=200) for ratios in (EVEN, RARE)]
    distance = [(gradients.max() - gradients.min()).item() for gradients in few]
    assert distance[1] < 0.9 * distance[0]


def test_adam_cancels_the_ratios():
    even, rare = (
        settle(ratios, optimizer=torch.optim.Adam, rate=0.025, steps=300) for ratios in (EVEN, RARE)
    )
    torch.testing.assert_close(even, rare, rtol=1e-5, atol=1e-6)


def test_raw_rates_starve_the_rarest_task_where_relative_ones_equalise():
    # All losses have halved: relative rates are 1, raw ones 1/2.
    raw = settle(RARE, alpha=1.0, relative=False, left=0.5)
    relative = settle(RARE, alpha=1.0, left=0.5)
    assert raw[2] < 0.5 * relative[2]
    assert raw.max() > 3 * raw.min()
    assert relative.tolist() == pytest.approx([0.18] * 3, rel=0.02)


@settings(max_examples=30)
@given(st.floats(0.5, 2.0))
def test_alpha_zero_ignores_the_training_rates(rate):
    arguments = vector(0.5, 1.0, 1.5), vector(2.0, 2.0, 4.0)
    slow = balancing_gradient(*arguments, vector(rate, 1.0, 1.0), EVEN, 0.0)
    assert torch.equal(slow, balancing_gradient(*arguments, EVEN, EVEN, 0.0))


def test_ratio_is_labelled_over_positive():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ratios = inverse_distribution_ratios(
            TASKS, {"rare": 5, "kind": 40}, {"rare": 50, "kind": 50}
        )
    assert ratios.tolist() == [10.0, 1.25]


def test_a_task_without_counts_gets_one_with_one_warning():
    with pytest.warns(UserWarning, match="1 for kind: declare a negative class") as warned:
        ratios = inverse_distribution_ratios(TASKS, {"rare": 5}, {"rare": 50})
    assert ratios.tolist() == [10.0, 1.0]
    assert len(warned) == 1
    with pytest.warns(UserWarning, match="1 for rare, kind:") as warned:
        inverse_distribution_ratios(TASKS, None, {"rare": 5})
    assert len(warned) == 1


@pytest.mark.parametrize(
    ("positives", "message"),
    [(0, "'rare' has 0 positive samples"), (51, "'rare': 51 positives of 50")],
)
def test_impossible_counts_name_the_task(positives, message):
    with pytest.raises(ValueError, match=message):
        inverse_distribution_ratios(TASKS, {"rare": positives}, {"rare": 50})
