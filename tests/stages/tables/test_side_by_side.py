"""How the trainings of a row are shared among processes."""

from __future__ import annotations

import importlib
import os
import time
from concurrent.futures import Future, ProcessPoolExecutor
from functools import partial
from multiprocessing import active_children
from pathlib import Path
from typing import Any

import pytest

from stages.tables import side_by_side as module
from stages.tables.side_by_side import side_by_side

ITEMS = [*range(8)]


def where(item: int) -> int:
    """The process that this ran in."""
    return os.getpid()


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


# Of a module of its own, which the other process can import as this one can.
WORK = """
import time
from multiprocessing import parent_process
from pathlib import Path


def begin(folder: Path, item: int) -> None:
    (folder / str(item)).touch()


def await_begun(folder: Path, item: int) -> None:
    while not (folder / str(item)).exists():
        time.sleep(0.01)


def fails_first(folder: Path, item: int) -> None:
    begin(folder, item)
    if item == 0:
        await_begun(folder, 1)
        raise ValueError("a label that nothing has")
    time.sleep(600)


def fails_second(folder: Path, item: int) -> None:
    begin(folder, item)
    if item == 0:
        await_begun(folder, 2)
    elif item == 1:
        raise ValueError("a label that nothing has")
    elif parent_process() is not None:
        time.sleep(600)
"""


@pytest.mark.parametrize("name", ["fails_first", "fails_second"])
def test_an_error_ends_what_runs_and_begins_nothing_more(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "trained_here.py").write_text(WORK)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("HGFN_WORKERS", "2")
    begun = tmp_path / "begun"
    begun.mkdir()
    work = getattr(importlib.import_module("trained_here"), name)
    start = time.monotonic()
    with pytest.raises(ValueError, match="a label that nothing has"):
        side_by_side(partial(work, begun), ITEMS)
    assert time.monotonic() - start < 300  # one that is not ended sleeps for ten minutes
    assert not (begun / "7").exists()  # what this process would have taken next
    assert not active_children()


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
