"""Small networks, trained in seconds, and their data."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch

from pipeline.training.examples import Examples
from pipeline.training.model import ModelSpec
from tests.training.conftest import examples, make_spec, train_small


@pytest.fixture(autouse=True)
def _one_seed() -> None:
    torch.manual_seed(0)


@pytest.fixture
def make_examples() -> Callable[..., Examples]:
    return examples


@pytest.fixture
def spec_of() -> Callable[..., ModelSpec]:
    return make_spec


@pytest.fixture
def run() -> Callable[..., Any]:
    return train_small
