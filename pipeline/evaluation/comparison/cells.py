"""Every row of the comparison on every seed, in worker processes; what is there is kept."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import torch

from pipeline.datasets.view_split import split_views
from pipeline.datasets.views import Views
from pipeline.evaluation.comparison.rows import Recipe, Result, Row, run_row
from pipeline.evaluation.comparison.runs import Results, identity, read_runs, write_runs
from pipeline.ground.processes import end_with_parent
from pipeline.ground.progress import progress
from pipeline.runtime import THREADS


@dataclass(frozen=True)
class Cell:
    """A row on a seed; together with the data and the recipe it decides a result."""

    row: Row
    seed: int


@dataclass(frozen=True)
class _Work:
    views: Views
    splits: dict[int, np.ndarray]
    recipe: Recipe

    def run(self, cell: Cell) -> Result:
        split = self.splits[cell.seed]
        try:
            return run_row(cell.row, self.views, split, cell.seed, self.recipe)
        except ValueError as error:
            raise ValueError(f"{cell.row.name}, seed {cell.seed}: {error}") from None


_work: _Work


def compare(
    path: Path,
    views: Views,
    rows: Sequence[Row],
    seeds: Sequence[int],
    out: Path,
    workers: int,
    recipe: Recipe,
) -> list[Result]:
    """Run the cells that `out`/runs.csv has not, and return all that were asked for.

    Each result is written when it is there: an interrupted comparison goes on from it, and a new
    seed costs its own cells. All splits are checked before the first cell. No result depends on
    `workers`. Raises ValueError with one line naming `path` or runs.csv.
    """
    work = _Work(views, {seed: split_views(path, views, seed) for seed in seeds}, recipe)
    runs, known_as = out / "runs.csv", identity(views, recipe)
    known: Results = read_runs(runs, known_as)
    cells = [Cell(row, seed) for seed in seeds for row in rows]
    missing = [cell for cell in cells if (cell.row.name, cell.seed) not in known]
    with progress("trainings", len(missing)) as advance:
        for result in _run(work, missing, workers):
            known[result.row, result.seed] = result
            write_runs(runs, known.values(), known_as)
            advance()
    return [known[cell.row.name, cell.seed] for cell in cells]


def _run(work: _Work, cells: Sequence[Cell], workers: int) -> Iterator[Result]:
    workers = min(workers, len(cells))
    if workers <= 1:
        yield from _one_thread(work.run, cells)
        return
    # spawn, not fork: a forked child of a process that used torch's threads can hang.
    pool = ProcessPoolExecutor(workers, get_context("spawn"), _start, (work,))
    try:
        for future in as_completed([pool.submit(_run_cell, cell) for cell in cells]):
            yield future.result()
    finally:
        pool.shutdown(cancel_futures=True)


def _one_thread(run: Callable[[Cell], Result], cells: Iterable[Cell]) -> Iterator[Result]:
    threads = torch.get_num_threads()
    torch.set_num_threads(THREADS)
    try:
        yield from map(run, cells)
    finally:
        torch.set_num_threads(threads)


def _start(work: _Work) -> None:
    global _work
    torch.set_num_threads(THREADS)
    end_with_parent()
    _work = work


def _run_cell(cell: Cell) -> Result:
    return _work.run(cell)
