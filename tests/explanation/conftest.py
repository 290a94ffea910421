"""One seed for the networks of every test."""

from __future__ import annotations

import pytest
import torch


@pytest.fixture(autouse=True)
def _one_seed() -> None:
    torch.manual_seed(0)
