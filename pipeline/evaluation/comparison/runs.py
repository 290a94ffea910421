"""The runs of a comparison: a line for each row and seed, with scores and costs."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pandas as pd

from pipeline.evaluation.comparison.cells import Cell, Problem, Training
from pipeline.evaluation.comparison.estimates import MEAN
from pipeline.evaluation.comparison.report import Column
from pipeline.evaluation.comparison.rows import Row
from pipeline.evaluation.comparison.splits import Splits
from pipeline.evaluation.comparison.tuning import best_trial, validation_maps
from pipeline.evaluation.scores import (
    HALF,
    choose_thresholds,
    decide,
    has_positive,
    score_tasks,
    select,
    task_scores,
    unscored,
)

# The trainings of each row and seed, of which validation chooses one.
Trials = Mapping[tuple[Row, int], Sequence[Training]]


def key(column: Column) -> str:
    """The name of a column's score in runs: `map`, or `<task>.map`."""
    return column.score if column.task == MEAN else f"{column.task}.{column.score}"


def runs_table(
    problem: Problem,
    splits: Splits,
    columns: Sequence[Column],
    trials: Trials,
    cells: Mapping[Training, Cell],
    seconds: Mapping[str, float],
) -> pd.DataFrame:
    """Build a line for each row and seed: the trial with the best validation MAP, and all costs."""
    lines = []
    for (row, seed), trainings in trials.items():
        of_row = {training: cells[training] for training in trainings}
        examples = problem.of_seed(seed)
        truth = select(examples.targets, examples.rows("val"))
        best = best_trial(validation_maps(problem.tasks, truth, of_row))
        scores = run_scores(problem, seed, cells[best], row) if best else {}
        epochs = [cell.facts["epochs"] for cell in of_row.values() if "epochs" in cell.facts]
        line: dict[str, object] = {"row": row.name, "seed": seed}
        line |= {"event": splits.named(seed)} if splits.events else {}
        lines.append(
            line
            | {"learning_rate": best.rate if best and row.fusion else math.nan}
            | {key(column): scores.get(key(column), math.nan) for column in columns}
            | {
                "parameters": cells[best].facts.get("parameters") if best else None,
                "epochs": sum(epochs) if epochs else None,
                "seconds": sum(seconds.get(training.name, math.nan) for training in trainings),
            }
        )
    # Integers of which some are unknown: after a divergence, and for baselines.
    return pd.DataFrame(lines).astype({"parameters": "Int64", "epochs": "Int64"})


def run_scores(problem: Problem, seed: int, cell: Cell, row: Row) -> dict[str, float]:
    """Score the test rows: the means over the tasks that have a positive there, and each task.

    - `map` and `macro_f1`: F1 is that of a sigmoid task's one label, and else the mean over the
      classes. A sigmoid task's threshold is the one with the best F1 on validation.
    - `hamming_loss`: the fraction of wrong decisions at 0.5, where its expectation is least; a
      task's `accuracy` is 1 minus it.
    - `micro_f1`: F1 of all decisions pooled, if all tasks are sigmoid.
    """
    examples, tasks = problem.of_seed(seed), problem.tasks
    of_val, of_test = cell.sides(len(examples.rows("val")))
    known, truth = (select(examples.targets, examples.rows(side)) for side in ("val", "test"))
    # A threshold tuned on the majority's constant probability would change its decision.
    rule = "half" if row.baseline == "majority" else "validation"
    thresholds = choose_thresholds(tasks, known, of_val, rule)
    tuned = score_tasks(tasks, truth, of_test, thresholds)
    half = score_tasks(tasks, truth, of_test, dict.fromkeys(thresholds, HALF))
    scored = [task for task in tasks if has_positive(task, truth[task.name]).all()]
    scores: dict[str, float] = {}
    for task in scored:
        f1 = tuned[task.name]["f1" if task.head == "sigmoid" else "f1_macro"]
        scores |= {f"{task.name}.map": tuned[task.name]["map"], f"{task.name}.macro_f1": f1}
    macro_f1 = float(np.mean([scores[f"{task.name}.macro_f1"] for task in scored]))
    scores |= {"map": tuned["mean"]["map"], "macro_f1": macro_f1}
    scores["hamming_loss"] = half["mean"]["hl"]
    scores |= {f"{t.name}.accuracy": half[t.name].get("accuracy", math.nan) for t in tasks}
    if all(task.head == "sigmoid" for task in tasks):
        pooled = task_scores(
            scored[0],
            np.concatenate([truth[t.name] for t in scored]),
            np.concatenate([of_test[t.name] for t in scored]),
            np.concatenate([decide(t, of_test[t.name], thresholds[t.name]) for t in scored]),
        )
        scores["micro_f1"] = pooled["f1"]
    return scores


def unscored_notes(problem: Problem, splits: Splits) -> Iterator[str]:
    """Name the tasks without a positive row of validation or of test, and in which splits."""
    for side, split in (("validation", "val"), ("test", "test")):
        seeds: dict[str, list[int]] = {}
        for seed in splits.sides:
            examples = problem.of_seed(seed)
            for task in unscored(problem.tasks, select(examples.targets, examples.rows(split))):
                seeds.setdefault(task, []).append(seed)
        listed = ", ".join(
            f"{task} ({splits.unit}s {splits.named(*of)})" for task, of in seeds.items()
        )
        if listed:
            yield f"left out of the means, without a positive {side} row: {listed}"


def diverged_notes(cells: Mapping[Training, Cell]) -> list[str]:
    """Name the trainings that diverged."""
    failed = [training for training, cell in cells.items() if "failed" in cell.facts]
    if not failed:
        return []
    names = ", ".join(f"{t.row.title} (seed {t.seed}, rate {t.rate:g})" for t in failed)
    return [
        f"{len(failed)} of {len(cells)} trainings diverged and are not chosen; a row of which all "
        f"of a seed diverged has no scores: {names}"
    ]
