"""Running trainings: only what is missing, the same for any number of processes."""

from __future__ import annotations

import importlib
import time
from dataclasses import replace
from multiprocessing import active_children
from pathlib import Path

import pytest

from pipeline.evaluation.comparison.cells import Problem, Settings, Training
from pipeline.evaluation.comparison.rows import Row
from pipeline.evaluation.comparison.runner import read_seconds, run_trainings, run_work

ROWS = [Row("hgfn", "dmtl"), Row()]


def trainings(seeds: int = 1) -> list[Training]:
    return [
        Training(row, seed, 1e-3 if row.fusion else 0.0) for seed in range(seeds) for row in ROWS
    ]


def run(
    folder: Path, problem: Problem, settings: Settings, seeds: int = 1, retrain: bool = False
) -> None:
    cells = run_trainings(problem, settings, trainings(seeds), folder, retrain)
    assert list(cells) == trainings(seeds)


def content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted((folder / "cells").iterdir())}


def changed(folder: Path) -> dict[str, int]:
    return {path.name: path.stat().st_mtime_ns for path in (folder / "cells").iterdir()}


@pytest.fixture(autouse=True)
def one_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HGFN_WORKERS", "1")


@pytest.mark.slow
def test_cells_do_not_depend_on_the_number_of_processes(
    tmp_path: Path, problem: Problem, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(tmp_path / "one", problem, settings)
    monkeypatch.setenv("HGFN_WORKERS", "2")
    run(tmp_path / "two", problem, settings)
    assert content(tmp_path / "two") == content(tmp_path / "one")
    assert set(read_seconds(tmp_path / "two")) == {training.name for training in trainings()}


def test_an_interrupted_run_resumes_and_a_further_seed_costs_its_own_cells(
    tmp_path: Path, problem: Problem, settings: Settings
) -> None:
    run(tmp_path / "whole", problem, settings, seeds=2)
    # What a run leaves that was killed after its first cell, while it wrote the second.
    run(tmp_path / "cut", problem, settings)
    for path in (tmp_path / "cut" / "cells").glob("linear-0.json"):
        path.unlink()
    done = {n: at for n, at in changed(tmp_path / "cut").items() if n.startswith("hgfn")}
    run(tmp_path / "cut", problem, settings, seeds=2)
    assert content(tmp_path / "cut") == content(tmp_path / "whole")
    assert done.items() < changed(tmp_path / "cut").items()
    assert len(changed(tmp_path / "cut")) == 8


def test_cells_of_other_settings_are_refused_or_trained_again_and_logged_once(
    tmp_path: Path, problem: Problem, settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    run(tmp_path, problem, settings, seeds=2)
    first = content(tmp_path)
    other = replace(settings, train=settings.train.model_copy(update={"dropout": 0.1}))
    message = (
        f"{tmp_path}/cells: trained with other data, settings or code: 2 cells, the first is "
        "hgfn_dmtl-0-0.001"
    )
    with pytest.raises(ValueError, match="trained with other") as error:
        run(tmp_path, problem, other, seeds=2)
    assert str(error.value) == f"{message}; take another --out folder, or delete this one"
    assert content(tmp_path) == first
    capsys.readouterr()
    run(tmp_path, problem, other, seeds=2, retrain=True)
    assert capsys.readouterr().out == f"{message}; they are trained again\n"
    run(tmp_path, problem, other, seeds=2)


def test_a_run_killed_at_a_cell_has_its_seconds_before(
    tmp_path: Path, problem: Problem, settings: Settings
) -> None:
    (tmp_path / "cells").write_text("a file, so that no cell can be written")
    with pytest.raises(OSError, match="cells"):
        run(tmp_path, problem, settings)
    assert list(read_seconds(tmp_path)) == [trainings()[0].name]


# In a module of its own, which the other process can import as this one can.
WORK = """
import os
import time
from functools import partial

def fail(training):
    if training.seed == 0:
        raise ValueError("a label that nothing has")
    time.sleep(600)

def die(training):
    os._exit(1)

class DieAtStart:
    # Ends the process that loads it, before it has read the data that follow.
    def __call__(self, data, training):
        raise AssertionError

    def __reduce__(self):
        return os._exit, (1,)

die_at_start = partial(DieAtStart(), bytes(1 << 20))
"""
DIED = "a training process died, perhaps out of memory; HGFN_WORKERS=1 trains one"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("fail", "^a label that nothing has$"),
        ("die", DIED),
        ("die_at_start", DIED),
    ],
)
def test_an_error_ends_all_processes(
    name: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "work_of_test.py").write_text(WORK)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("HGFN_WORKERS", "2")
    start = time.monotonic()
    with pytest.raises(ValueError, match=message):
        list(run_work(getattr(importlib.import_module("work_of_test"), name), trainings(4)))
    assert time.monotonic() - start < 300  # one that is not ended sleeps for ten minutes
    assert not active_children()


@pytest.mark.parametrize(("workers", "device"), [("1", "cpu"), ("4", "cuda")])
def test_one_worker_or_a_gpu_needs_no_other_process(
    workers: str, device: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HGFN_WORKERS", workers)
    monkeypatch.setenv("HGFN_DEVICE", device)
    # A function of a test cannot be sent to a process.
    done = list(run_work(lambda training: (training.name, 0.0), trainings(2)))  # type: ignore[arg-type, return-value]
    assert [training for training, _ in done] == trainings(2)
