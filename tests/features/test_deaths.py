from __future__ import annotations

from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from typing import Any

import pytest

from pipeline.features.deaths import Batch, deaths_told
from pipeline.features.recipe import Item


def ended(error: Exception | None = None) -> Future[Any]:
    future: Future[Any] = Future()
    future.set_exception(error) if error else future.set_result(None)
    return future


def batch(*ids: str) -> Batch:
    return [(f"{name}key", Item(name)) for name in ids]


def told(begun: dict[Future[Any], Batch], most: int) -> str:
    expected = pytest.raises(ValueError, match=r"a worker process died.*HGFN_WORKERS")
    with expected as caught, deaths_told(begun, most):
        raise BrokenProcessPool
    return str(caught.value).partition("among these: ")[2]


def test_each_batch_in_hand_is_named_by_its_first_item() -> None:
    begun = {ended(BrokenProcessPool()): batch(f"clip{k:02}") for k in range(34)}
    assert told(begun, 34) == "; ".join(f"clip{k:02}" for k in range(34))


def test_items_that_are_not_named_are_counted() -> None:
    assert told({ended(BrokenProcessPool()): batch("a", "b", "c")}, 8) == "a and 2 more"


def test_neither_what_is_done_nor_what_waits_is_named() -> None:
    begun = {ended(): batch("done"), Future[Any](): batch("in hand"), Future[Any](): batch("later")}
    assert told(begun, 1) == "in hand"


def test_other_errors_pass() -> None:
    with pytest.raises(KeyError), deaths_told({}, 1):
        raise KeyError
