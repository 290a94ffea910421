from __future__ import annotations

import pytest
import torch

from pipeline.extractors.device import gpus


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The GPUs that torch finds."""
    found = ["H100", "H100"]
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: len(found))
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda number: found[number])
    return found


def test_gpus_of_one_kind_are_counted(names: list[str]) -> None:
    assert gpus() == 2


def test_gpus_that_would_give_other_bytes_are_refused(names: list[str]) -> None:
    names.append("A100")
    with pytest.raises(ValueError, match=r"A100, H100.*CUDA_VISIBLE_DEVICES"):
        gpus()
