"""What a training process sets first, and that filling memory was not part of the result."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch

from pipeline.training.examples import Examples
from pipeline.training.repeatable import repeatable


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    threads, strict = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    filling = torch.utils.deterministic.fill_uninitialized_memory
    yield
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(strict)
    torch.utils.deterministic.fill_uninitialized_memory = filling


def test_one_thread_and_repeatable_operations_without_filled_memory() -> None:
    torch.set_num_threads(2)
    torch.utils.deterministic.fill_uninitialized_memory = True
    repeatable()
    assert torch.get_num_threads() == 1
    assert torch.are_deterministic_algorithms_enabled()
    assert not torch.utils.deterministic.fill_uninitialized_memory


@pytest.mark.parametrize("encoder", ["pooled", "bigru"])
def test_no_training_reads_memory_before_it_is_written(
    make_examples: Callable[..., Examples], run: Callable[..., Any], encoder: str
) -> None:
    data = make_examples(longest=3 if encoder == "bigru" else 1)
    repeatable()
    network, _, _ = run(data, fusion="hgfn", mtl="mtinet", encoder=encoder)
    # NaN in each fresh tensor: a value that is read from there shows in the parameters.
    torch.utils.deterministic.fill_uninitialized_memory = True
    filled, _, _ = run(data, fusion="hgfn", mtl="mtinet", encoder=encoder)
    for name, value in network.state_dict().items():
        assert torch.equal(value, filled.state_dict()[name]), name
