"""Networks traced into ONNX."""

from __future__ import annotations

from collections.abc import Iterator

import jaxtyping
import pytest


@pytest.fixture(autouse=True)
def _shapes_unchecked() -> Iterator[None]:
    """In a trace a size is a tensor, not the whole number that signatures name."""
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)
