from __future__ import annotations

from typing import Any

import pytest
import torch
from torch.nn import functional

from pipeline.models.fusion import dynamic_attention
from pipeline.models.fusion.dynamic_attention import DynamicAttentionUnit


def as_convolutions(unit: DynamicAttentionUnit, units: torch.Tensor) -> torch.Tensor:
    """Eq. 1 with torch's own 2-D convolutions."""
    maps = functional.leaky_relu(unit.conv(units.unsqueeze(1)))
    mixed = functional.conv2d(maps, unit.mix.weight[:, :, None, None], unit.mix.bias)
    return functional.leaky_relu(mixed).squeeze(1)


@pytest.mark.parametrize("modalities", [1, 2, 3, 4, 6])
@pytest.mark.parametrize("width", [1, 3, 17])
def test_weights_equal_two_convolutions_over_the_stacked_map(modalities: int, width: int) -> None:
    unit = DynamicAttentionUnit(modalities, vector=True).double()
    units = torch.randn(2, modalities, width, dtype=torch.float64)
    torch.testing.assert_close(unit(units), as_convolutions(unit, units), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("part", [1, 1000, 1 << 19])
def test_parts_of_the_batch_are_the_whole_in_values_and_gradients(
    part: int, same_function: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dynamic_attention, "PART", part)
    unit = DynamicAttentionUnit(3, vector=True).double()
    units = torch.randn(5, 3, 9, dtype=torch.float64, requires_grad=True)
    same_function(unit(units), as_convolutions(unit, units), [units, *unit.parameters()])


@pytest.mark.parametrize(("modalities", "height"), [(1, 5), (2, 5), (3, 5), (4, 7), (6, 11)])
def test_first_kernel_is_five_by_five_up_to_three_modalities(modalities: int, height: int) -> None:
    assert DynamicAttentionUnit(modalities).conv.weight.shape[2:] == (height, 5)


@pytest.mark.parametrize("modalities", [2, 3, 4, 6])
def test_every_weight_reads_every_modality(modalities: int) -> None:
    unit = DynamicAttentionUnit(modalities)
    units = torch.randn(1, modalities, 8, requires_grad=True)
    for m in range(modalities):
        (gradient,) = torch.autograd.grad(unit(units)[0, m, 0], units)
        assert (gradient.abs().sum(dim=2) > 0).all()


def test_scalar_weight_is_the_mean_over_features_of_the_vector() -> None:
    scalar = DynamicAttentionUnit(3)
    vector = DynamicAttentionUnit(3, vector=True)
    vector.load_state_dict(scalar.state_dict())
    units = torch.randn(4, 3, 8)
    torch.testing.assert_close(scalar(units), vector(units).mean(dim=2, keepdim=True))


def test_sigmoid_gate_keeps_weights_between_zero_and_one() -> None:
    unit = DynamicAttentionUnit(3, gate=True)
    weights = unit(100 * torch.randn(16, 3, 8))
    assert ((weights >= 0) & (weights <= 1)).all()


def test_weights_start_near_one() -> None:
    torch.manual_seed(0)
    weights = torch.cat([DynamicAttentionUnit(3)(torch.randn(64, 3, 64)) for _ in range(10)])
    assert 0.5 < weights.mean() < 1.5


def test_permuting_the_modalities_is_not_a_permutation_of_the_weights() -> None:
    unit = DynamicAttentionUnit(3)
    units = torch.randn(2, 3, 8)
    order = [2, 0, 1]
    assert not torch.allclose(unit(units[:, order]), unit(units)[:, order], atol=1e-4)


def test_reversing_modalities_and_kernel_rows_reverses_the_weights() -> None:
    unit = DynamicAttentionUnit(3).double()
    units = torch.randn(2, 3, 8, dtype=torch.float64)
    expected = unit(units).flip(1)
    with torch.no_grad():
        unit.conv.weight.copy_(unit.conv.weight.flip(2))
    torch.testing.assert_close(unit(units.flip(1)), expected, rtol=1e-12, atol=1e-12)
