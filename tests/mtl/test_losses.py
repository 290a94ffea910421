"""Oracles: torch's own cross entropies, eq. 10 written out, and autograd."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy

from pipeline.mtl.losses import focal_gradient, focal_loss

BETAS = st.sampled_from([0.0, 0.3, 0.5, 1.0, 2.0, 5.0])
SEEDS = st.integers(0, 10_000)
SCALES = st.sampled_from([0.1, 1.0, 10.0, 100.0])
EXTREME = torch.tensor([-1e4, -100.0, -1.0, 0.0, 1.0, 100.0, 1e4])


def sigmoid_batch(seed: int, scale: float) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    logits = scale * torch.randn(27, 1, generator=generator, dtype=torch.float64)
    return logits, torch.randint(0, 2, (27,), generator=generator)


def softmax_batch(seed: int, scale: float, classes: int) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    logits = scale * torch.randn(9, classes, generator=generator, dtype=torch.float64)
    return logits, torch.randint(0, classes, (9,), generator=generator)


def test_hand_example_of_equations_8_to_10():
    # p = sigmoid(log 3) = 3/4. y = 1: p_d = 3/4; y = 0: p_d = 1/4.
    logits = torch.full((2, 1), math.log(3.0), dtype=torch.float64)
    targets = torch.tensor([1, 0])
    cross_entropies = focal_loss(logits, targets, 0.0)
    assert cross_entropies.tolist() == pytest.approx([math.log(4 / 3), math.log(4)], abs=1e-14)
    focal = focal_loss(logits, targets, 2.0)
    expected = [1 / 16 * math.log(4 / 3), 9 / 16 * math.log(4)]
    assert focal.tolist() == pytest.approx(expected, abs=1e-14)


def test_hand_example_of_the_softmax_reading():
    # Probabilities 1/2, 1/3, 1/6 of three classes; the true one in turn.
    logits = torch.tensor([[3.0, 2.0, 1.0]] * 3, dtype=torch.float64).log()
    focal = focal_loss(logits, torch.arange(3), 2.0)
    expected = [1 / 4 * math.log(2), 4 / 9 * math.log(3), 25 / 36 * math.log(6)]
    assert focal.tolist() == pytest.approx(expected, abs=1e-14)


@given(SEEDS, SCALES)
def test_beta_zero_is_plain_cross_entropy(seed, scale):
    logits, targets = sigmoid_batch(seed, scale)
    expected = binary_cross_entropy_with_logits(logits[:, 0], targets.double(), reduction="none")
    torch.testing.assert_close(focal_loss(logits, targets, 0.0), expected)
    logits, targets = softmax_batch(seed, scale, 4)
    expected = cross_entropy(logits, targets, reduction="none")
    torch.testing.assert_close(focal_loss(logits, targets, 0.0), expected)


@given(SEEDS, BETAS)
def test_focal_loss_is_equation_10_written_out(seed, beta):
    logits, targets = softmax_batch(seed, 2.0, 5)
    p = logits.softmax(dim=1).gather(1, targets[:, None]).squeeze(1)
    torch.testing.assert_close(focal_loss(logits, targets, beta), -((1 - p) ** beta) * p.log())


@given(SEEDS, SCALES, BETAS)
def test_two_class_softmax_is_the_sigmoid_of_the_difference(seed, scale, beta):
    logits, targets = softmax_batch(seed, scale, 2)
    difference = logits[:, 1:] - logits[:, :1]
    torch.testing.assert_close(
        focal_loss(logits, targets, beta), focal_loss(difference, targets, beta)
    )


@given(SEEDS, BETAS, BETAS)
def test_a_larger_beta_never_raises_a_loss(seed, first, second):
    logits, targets = sigmoid_batch(seed, 3.0)
    small, large = sorted((first, second))
    losses = focal_loss(logits, targets, small), focal_loss(logits, targets, large)
    assert (losses[1] <= losses[0] + 1e-15).all()


@settings(deadline=None)
@given(SEEDS, SCALES, BETAS)
def test_closed_form_gradient_is_autograds(seed, scale, beta):
    for logits, targets in (sigmoid_batch(seed, scale), softmax_batch(seed, scale, 4)):
        (expected,) = torch.autograd.grad(
            focal_loss(logits.requires_grad_(), targets, beta).sum(), logits
        )
        gradient = focal_gradient(logits.detach(), targets, beta)
        torch.testing.assert_close(gradient, expected, atol=1e-10, rtol=1e-10)


@pytest.mark.parametrize("beta", [0.0, 0.3, 1.0, 2.0])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
@pytest.mark.parametrize("target", [0, 1])
def test_extreme_logits_give_finite_losses_and_gradients(beta, dtype, target):
    logits = EXTREME[:, None].to(dtype, copy=True).requires_grad_()
    targets = torch.full((7,), target)
    pair = torch.cat([-logits, logits], dim=1)
    losses = focal_loss(logits, targets, beta) + focal_loss(pair, targets, beta)
    losses.sum().backward()
    assert losses.isfinite().all()
    assert logits.grad is not None
    assert logits.grad.isfinite().all()
    assert focal_gradient(logits.detach(), targets, beta).isfinite().all()
    assert focal_gradient(pair.detach(), targets, beta).isfinite().all()


def test_a_wrong_and_certain_row_has_its_whole_loss():
    loss = focal_loss(torch.tensor([[-1e4]]), torch.tensor([1]), 2.0)
    assert loss.item() == 1e4


def test_half_precision_logits_are_computed_in_single():
    logits = torch.tensor([[0.5, -0.25, 2.0]])
    halves = focal_loss(logits.to(torch.bfloat16), torch.tensor([1]), 2.0)
    assert halves.dtype == torch.float32
    torch.testing.assert_close(halves, focal_loss(logits, torch.tensor([1]), 2.0))
