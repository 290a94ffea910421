from __future__ import annotations

import pytest
import torch

from pipeline.extractors.device import gpus, round_with_carry


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The GPUs that torch finds."""
    names = ["H100", "H100"]
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: len(names))
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda number: names[number])
    return names


def test_gpus_of_one_kind_are_counted(names: list[str]) -> None:
    assert gpus() == 2


def test_gpus_that_would_give_other_bytes_are_refused(names: list[str]) -> None:
    names.append("A100")
    with pytest.raises(ValueError, match=r"A100, H100.*CUDA_VISIBLE_DEVICES"):
        gpus()


def test_rounding_keeps_each_outputs_sum() -> None:
    weights = torch.randn(5, 40, 3, 3, generator=torch.Generator().manual_seed(0))
    rounded, nearest = round_with_carry(weights).float(), weights.bfloat16().float()
    sums = [w.double().flatten(1).sum(1) for w in (weights, rounded, nearest)]
    carried, dropped = (sums[1] - sums[0]).abs(), (sums[2] - sums[0]).abs()
    # What is left is the last weight's own rounding, of numbers up to about 4.
    assert carried.max() < 2**-7
    assert carried.mean() < dropped.mean() / 4


def test_rounding_moves_no_weight_further_than_two_roundings() -> None:
    weights = torch.rand(7, 50, generator=torch.Generator().manual_seed(1)) + 1
    moved = (round_with_carry(weights).float() - weights).abs()
    assert moved.max() <= 2**-7  # half a step of numbers in [1, 2), twice
    assert torch.equal(round_with_carry(weights.bfloat16().float()).float(), weights.bfloat16())
