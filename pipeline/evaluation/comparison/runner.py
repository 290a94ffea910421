"""Train the cells that a folder does not hold yet, in parallel processes."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from functools import partial
from multiprocessing import active_children, get_context
from pathlib import Path
from tempfile import TemporaryDirectory

from pipeline import runtime
from pipeline.evaluation.comparison.cells import (
    Cell,
    Problem,
    Settings,
    Training,
    identity,
    read_cell,
    train_cell,
    write_cell,
)
from pipeline.ground.messages import echo
from pipeline.ground.processes import end_with_parent
from pipeline.ground.progress import progress
from pipeline.ground.system_errors import naming
from pipeline.ground.temporaries import write_text
from pipeline.inputs.json_files import read_json

Work = Callable[[Training], tuple[Cell, float]]
# Set in each worker process, so that it reads the data once.
_work: Work


def run_trainings(
    problem: Problem,
    settings: Settings,
    trainings: Sequence[Training],
    folder: Path,
    retrain: bool = False,
) -> dict[Training, Cell]:
    """Return the cell of each training; those that are not in `folder`/cells are trained.

    Each cell is written as soon as it is trained, so that an interrupted run resumes. Cells of
    other data, settings or code raise ValueError, or with `retrain` are trained again after one
    message.
    """
    place, cells, others = folder / "cells", {}, []
    for training in trainings:
        cell = read_cell(place, training.name, problem.tasks)
        if cell and cell.identity == identity(problem, settings, training):
            cells[training] = cell
        elif cell:
            others.append(training.name)
    if others:
        message = (
            f"{place}: trained with other data, settings or code: {len(others)} cells, the first "
            f"is {others[0]}"
        )
        if not retrain:
            raise ValueError(f"{message}; take another --out folder, or delete this one")
        echo(f"{message}; they are trained again")
    missing = [training for training in trainings if training not in cells]
    seconds = read_seconds(folder)
    with progress("trainings", len(missing)) as advance:
        for training, (cell, time) in run_work(partial(train_cell, problem, settings), missing):
            # Apart from the cells: seconds differ from run to run, cells do not. Before the cell,
            # so that a killed run leaves none without its seconds.
            seconds[training.name] = round(time, 3)
            text = json.dumps(seconds, indent=2, sort_keys=True) + "\n"
            write_text(folder / "seconds.json", text)
            write_cell(place, training.name, cell, problem.tasks)
            cells[training] = cell
            advance()
    return {training: cells[training] for training in trainings}


def read_seconds(folder: Path) -> dict[str, float]:
    """Read the processor's seconds of each training by its name."""
    path = folder / "seconds.json"
    return dict(read_json(path, dict[str, float])) if path.exists() else {}


def run_work(
    work: Work, trainings: Sequence[Training]
) -> Iterator[tuple[Training, tuple[Cell, float]]]:
    """Yield each training with its result when it ends; an error ends all of them.

    HGFN_WORKERS processes work side by side; a GPU trains one at a time.
    """
    processes = min(runtime.workers(), len(trainings)) if runtime.device() == "cpu" else 1
    if processes <= 1:
        yield from ((training, work(training)) for training in trainings)
        return
    before, context = active_children(), get_context("spawn")
    # spawn, not fork: a forked child of a process that used torch's threads can hang.
    with _stored(work) as path, ProcessPoolExecutor(processes, context, _start, (path,)) as pool:
        futures = {pool.submit(_run, training): training for training in trainings}
        try:
            for future in as_completed(futures):
                yield futures[future], future.result()
        except BaseException as error:
            # Leaving the pool would wait for running trainings, which may take hours.
            for process in set(active_children()) - set(before):
                process.terminate()
            if not isinstance(error, BrokenProcessPool):
                raise
            raise ValueError(
                "a training process died, perhaps out of memory; HGFN_WORKERS=1 trains one cell "
                "at a time"
            ) from None


@contextmanager
def _stored(work: Work) -> Iterator[Path]:
    """Yield a file with the work and its data.

    A process gets its start arguments through a pipe, and its parent would wait forever if it died
    before it had read all of them.
    """
    with TemporaryDirectory(prefix="hgfn-") as folder:
        path = Path(folder, "work")
        with naming(path, path), path.open("wb") as file:
            pickle.dump(work, file)
        yield path


def _start(path: Path) -> None:
    global _work
    end_with_parent()
    with path.open("rb") as file:
        _work = pickle.load(file)


def _run(training: Training) -> tuple[Cell, float]:
    return _work(training)
