"""The two layers of HGFN: importances of eq. 1 and the vertex network of eq. 3."""

from __future__ import annotations

import pytest
import torch

from pipeline.models.fusion.hgfn import DynamicAttentionUnit, PairNetwork


@pytest.mark.parametrize(("modalities", "height"), [(1, 5), (2, 5), (3, 5), (4, 7), (6, 11)])
def test_first_kernel_is_five_by_five_up_to_three_modalities(modalities: int, height: int) -> None:
    assert DynamicAttentionUnit(modalities, 8).conv.weight.shape[2:] == (height, 5)


@pytest.mark.parametrize("modalities", [2, 3, 4, 6])
def test_every_weight_reads_every_modality(modalities: int) -> None:
    unit = DynamicAttentionUnit(modalities, 8)
    x = torch.randn(1, modalities, 8, requires_grad=True)
    for m in range(modalities):
        (gradient,) = torch.autograd.grad(unit(x)[0, m, 0], x)
        assert (gradient.abs().sum(dim=2) > 0).all()


def test_sigmoid_gate_keeps_weights_between_zero_and_one() -> None:
    weights = DynamicAttentionUnit(3, 8, gate=True)(100 * torch.randn(16, 3, 8))
    assert ((weights >= 0) & (weights <= 1)).all()


def test_attention_with_equal_scores_is_the_mean_over_the_features() -> None:
    scalar, attention = DynamicAttentionUnit(3, 8), DynamicAttentionUnit(3, 8, "attention")
    attention.load_state_dict(scalar.state_dict(), strict=False)
    x = torch.randn(4, 3, 8)
    with torch.no_grad():
        attention.score.weight.zero_()
        torch.testing.assert_close(attention(x), scalar(x))
        attention.position[2] = 50.0  # all attention to the third feature
        vector = DynamicAttentionUnit(3, 8, "vector")
        vector.load_state_dict(scalar.state_dict())
        torch.testing.assert_close(attention(x), vector(x)[:, :, 2:3])


def test_weights_start_near_one() -> None:
    weights = torch.cat([DynamicAttentionUnit(3, 64)(torch.randn(64, 3, 64)) for _ in range(10)])
    assert 0.5 < weights.mean() < 1.5


def test_reversing_modalities_and_kernel_rows_reverses_the_weights() -> None:
    unit = DynamicAttentionUnit(3, 8).double()
    x = torch.randn(2, 3, 8, dtype=torch.float64)
    expected = unit(x).flip(1)
    with torch.no_grad():
        unit.conv.weight.copy_(unit.conv.weight.flip(2))
    torch.testing.assert_close(unit(x.flip(1)), expected, rtol=1e-12, atol=1e-12)


def test_vertices_of_a_level_are_those_of_one_call_a_vertex() -> None:
    network = PairNetwork(8, channels=3).double()
    left, right = torch.randn(2, 4, 5, 8, dtype=torch.float64)
    together = network(left, right)
    for p in range(5):
        alone = network(left[:, p : p + 1], right[:, p : p + 1])
        torch.testing.assert_close(alone[:, 0], together[:, p], rtol=1e-12, atol=1e-12)


def test_swapping_the_two_partners_changes_the_vertex() -> None:
    network = PairNetwork(8, channels=2)
    a, b = torch.randn(2, 1, 1, 8)
    assert not torch.allclose(network(a, b), network(b, a), atol=1e-3)
