"""Networks with known parameters and batches that are the same on every machine."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import pytest
import torch
from torch import Tensor, nn

Module = TypeVar("Module", bound=nn.Module)


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


@pytest.fixture(scope="session")
def filled() -> Callable[[Module], Module]:
    """Puts a module into float64 with parameters from a formula: no random stream to rely on."""

    def fill(module: Module) -> Module:
        module.double()
        with torch.no_grad():
            for index, parameter in enumerate(module.parameters()):
                steps = torch.arange(parameter.numel(), dtype=torch.float64)
                parameter.copy_((0.6 * torch.sin(1.3 * steps + index)).view_as(parameter))
        return module

    return fill


@pytest.fixture(scope="session")
def batch() -> Callable[[dict[str, int], int], dict[str, Tensor]]:
    """A float64 batch of the given widths, different in every row and feature."""

    def make(dims: dict[str, int], rows: int) -> dict[str, Tensor]:
        return {
            name: 1.5
            * torch.cos(
                0.9 * torch.arange(rows * dim, dtype=torch.float64).view(rows, dim) + 2.1 * offset
            )
            for offset, (name, dim) in enumerate(sorted(dims.items()))
        }

    return make
