"""How the trainings of a row are shared among processes."""

from __future__ import annotations

import os
from concurrent.futures import Future, ProcessPoolExecutor
from multiprocessing import parent_process
from typing import Any

import pytest

from stages.tables import side_by_side as module
from stages.tables.side_by_side import side_by_side

ITEMS = [*range(8)]


def where(item: int) -> int:
    """The process that this ran in."""
    return os.getpid()


def refuse(item: int) -> int:
    assert parent_process() is None
    raise ValueError("a label that nothing has")


class Pool:
    """An executor whose processes never begin."""

    def __init__(self, *_: Any) -> None:
        self.ended: list[dict[str, bool]] = []

    def __enter__(self) -> Pool:
        return self

    def __exit__(self, *_: object) -> None:
        self.ended.append({"wait": True})

    def submit(self, *_: Any) -> Future[int]:
        return Future()

    def shutdown(self, **how: bool) -> None:
        self.ended.append(how)


def test_each_item_is_done_once_and_what_waits_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[Future[int]] = []

    class Told(ProcessPoolExecutor):
        def submit(self, *arguments: Any, **more: Any) -> Future[Any]:
            given.append(super().submit(*arguments, **more))
            return given[-1]

    monkeypatch.setenv("HGFN_WORKERS", "2")
    monkeypatch.setattr(module, "ProcessPoolExecutor", Told)
    assert side_by_side(str, ITEMS) == [str(item) for item in ITEMS]
    # The other process needs seconds to begin: this one takes all that it does not yet hold.
    taken = [future.cancelled() for future in given]
    assert len(taken) == len(ITEMS) - 1
    assert taken[-1]
    assert not taken[0]


def test_an_error_does_not_wait_for_the_other_items(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HGFN_WORKERS", "2")
    pool = Pool()
    monkeypatch.setattr(module, "ProcessPoolExecutor", lambda *_: pool)
    with pytest.raises(ValueError, match="a label that nothing has"):
        side_by_side(refuse, ITEMS)
    assert pool.ended[0] == {"wait": False, "cancel_futures": True}


def test_a_process_that_dies_is_told_with_the_cure(monkeypatch: pytest.MonkeyPatch) -> None:
    class Deadly(ProcessPoolExecutor):
        def submit(self, *_: Any, **__: Any) -> Future[Any]:
            return super().submit(os._exit, 1)

    monkeypatch.setenv("HGFN_WORKERS", "2")
    monkeypatch.setattr(module, "ProcessPoolExecutor", Deadly)
    with pytest.raises(ValueError, match=r"a process that trained.*died.*HGFN_WORKERS=1"):
        side_by_side(where, ITEMS[:2])


@pytest.mark.parametrize(
    ("workers", "device", "items"), [("1", "cpu", ITEMS), ("4", "cuda", ITEMS), ("4", "cpu", [5])]
)
def test_one_worker_a_gpu_or_one_item_needs_no_other_process(
    monkeypatch: pytest.MonkeyPatch, workers: str, device: str, items: list[int]
) -> None:
    monkeypatch.setenv("HGFN_WORKERS", workers)
    monkeypatch.setenv("HGFN_DEVICE", device)
    monkeypatch.setattr(module, "ProcessPoolExecutor", None)
    assert set(side_by_side(where, items)) == {os.getpid()}
