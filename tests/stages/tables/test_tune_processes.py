"""How the trials of a row are shared among processes."""

from __future__ import annotations

import os
from concurrent.futures import Future, ProcessPoolExecutor
from multiprocessing import parent_process
from typing import Any

import pytest

from stages.tables import tune

RATES = [0.1 * k for k in range(1, 9)]


def where(rate: float) -> tune.Trial:
    """A trial whose score is the process that made it."""
    return tune.Trial(rate, score=float(os.getpid()))


def refuse(rate: float) -> tune.Trial:
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

    def submit(self, *_: Any) -> Future[tune.Trial]:
        return Future()

    def shutdown(self, **how: bool) -> None:
        self.ended.append(how)


def test_each_rate_is_tried_once_and_what_waits_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[Future[tune.Trial]] = []

    class Told(ProcessPoolExecutor):
        def submit(self, *arguments: Any, **more: Any) -> Future[Any]:
            given.append(super().submit(*arguments, **more))
            return given[-1]

    monkeypatch.setenv("HGFN_WORKERS", "2")
    monkeypatch.setattr(tune, "ProcessPoolExecutor", Told)
    assert tune._run_all(tune.Trial, RATES[::-1]) == [tune.Trial(rate) for rate in RATES]
    # The other process needs seconds to begin: this one takes all that it does not yet hold.
    taken = [future.cancelled() for future in given]
    assert len(taken) == len(RATES) - 1
    assert taken[-1]
    assert not taken[0]


def test_an_error_does_not_wait_for_the_other_trials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HGFN_WORKERS", "2")
    pool = Pool()
    monkeypatch.setattr(tune, "ProcessPoolExecutor", lambda *_: pool)
    with pytest.raises(ValueError, match="a label that nothing has"):
        tune._run_all(refuse, RATES)
    assert pool.ended[0] == {"wait": False, "cancel_futures": True}


def test_a_trial_whose_process_dies_is_told_with_the_cure(monkeypatch: pytest.MonkeyPatch) -> None:
    class Deadly(ProcessPoolExecutor):
        def submit(self, *_: Any, **__: Any) -> Future[Any]:
            return super().submit(os._exit, 1)

    monkeypatch.setenv("HGFN_WORKERS", "2")
    monkeypatch.setattr(tune, "ProcessPoolExecutor", Deadly)
    with pytest.raises(ValueError, match=r"the process of a trial died.*HGFN_WORKERS=1"):
        tune._run_all(tune.Trial, RATES[:2])


@pytest.mark.parametrize(("workers", "device"), [("1", "cpu"), ("4", "cuda")])
def test_one_worker_or_a_gpu_has_one_trial_at_a_time(
    monkeypatch: pytest.MonkeyPatch, workers: str, device: str
) -> None:
    monkeypatch.setenv("HGFN_WORKERS", workers)
    monkeypatch.setenv("HGFN_DEVICE", device)
    monkeypatch.setattr(tune, "ProcessPoolExecutor", None)
    assert {trial.score for trial in tune._run_all(where, RATES)} == {os.getpid()}
