"""The worker: what ends its process fails one question, and the next one is answered."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from threading import Thread
from time import monotonic, sleep

import pytest

from pipeline.ground.processes import is_running
from pipeline.serving.worker import CrashedError, Question, TimeLimitError, Worker
from tests.serving import fakes


def until(condition: Callable[[], bool]) -> None:
    """Wait until a condition holds, for half a minute at most."""
    deadline = monotonic() + 30
    while not condition():
        assert monotonic() < deadline
        sleep(0.01)


@pytest.fixture
def worker() -> Iterator[Worker]:
    worker = Worker(fakes.plain, 0.5)
    worker.wait()
    yield worker
    worker.stop()


def test_it_says_what_it_serves_when_it_is_ready(worker: Worker) -> None:
    assert worker.facts == fakes.FACTS
    assert worker.ready


@pytest.mark.parametrize(
    ("text", "error", "reason"),
    [
        ("crash", ValueError, "crashed, perhaps on a damaged photo"),
        ("for ever", TimeLimitError, r"longer than 0\.5 seconds"),
    ],
)
def test_a_question_that_ends_the_process_fails_alone(
    worker: Worker, tmp_path: Path, text: str, error: type[Exception], reason: str
) -> None:
    first = worker.ask(Question(tmp_path, "a"))["process"]
    with pytest.raises(error, match=reason):
        worker.ask(Question(tmp_path, text))
    until(lambda: worker.ready)  # before anyone asks
    second = worker.ask(Question(tmp_path, "a"))
    assert second["text"] == "a"
    assert second["process"] != first
    assert not is_running(first)


def test_errors_leave_the_process_as_it_is(
    worker: Worker, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = worker.ask(Question(tmp_path, "a"))["process"]
    with pytest.raises(ValueError, match="is wrong"):
        worker.ask(Question(tmp_path, "refuse"))
    with pytest.raises(RuntimeError, match="its terminal says why"):
        worker.ask(Question(tmp_path, "fault"))
    assert "a fault of the program" in capsys.readouterr().err
    assert worker.ask(Question(tmp_path, "a"))["process"] == first


def test_a_start_that_fails_says_why_each_time() -> None:
    worker = Worker(fakes.broken, 1.0)
    for _ in range(2):
        with pytest.raises(ValueError, match="models/none: no model"):
            worker.wait()
    worker.stop()


def test_a_process_that_ended_while_idle_costs_no_question(worker: Worker, tmp_path: Path) -> None:
    first = worker.ask(Question(tmp_path, "a"))["process"]
    os.kill(first, signal.SIGKILL)
    until(lambda: not worker.alive)
    assert worker.ask(Question(tmp_path, "a"))["process"] != first


def test_a_model_that_cannot_be_loaded_again_is_no_fault_of_the_question(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    worker = Worker(partial(fakes.loading_once, tmp_path / "marker"), 1.0)
    worker.wait()
    with pytest.raises(ValueError, match="crashed, perhaps on a damaged photo"):
        worker.ask(Question(tmp_path, "crash"))
    with pytest.raises(RuntimeError, match="its terminal says why"):
        worker.ask(Question(tmp_path, "a"))
    assert "marker: no model" in capsys.readouterr().err
    worker.stop()


def test_a_second_interrupt_may_stop_it_inside_the_first(
    worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    end = worker._end
    again = iter([worker.stop])

    def interrupted() -> None:
        for stop in again:
            stop()
        end()

    monkeypatch.setattr(worker, "_end", interrupted)
    first = Thread(target=worker.stop, daemon=True)
    first.start()
    first.join(10)
    assert not first.is_alive()
    assert not worker._process.is_alive()


def test_a_crash_while_loading_is_told() -> None:
    worker = Worker(fakes.crashing, 1.0)
    with pytest.raises(CrashedError):
        worker.wait()
    worker.stop()


def test_a_stopped_worker_does_not_start_again(worker: Worker, tmp_path: Path) -> None:
    worker.stop()
    with pytest.raises(CrashedError):
        worker.ask(Question(tmp_path, "a"))
    assert not worker.alive
