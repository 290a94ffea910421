"""Tables I-V: which score stands where, and each row's differences to the others."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from pipeline.datasets.paper_concepts import CONCEPTS
from pipeline.evaluation import paper
from pipeline.evaluation.bootstrap import Estimate
from pipeline.evaluation.estimates import MEAN, Estimates

REFERENCE = "cfc_lsew"
TITLES = {"mtinet": "MTI-NET"}
SETS = {"crisismmd": "CrisisMMD", "youtube": "YouTube Disaster"}


@dataclass(frozen=True)
class Column:
    """One score of one task (or of their mean), and what the paper prints for it by row."""

    task: str
    score: str
    label: str
    paper: Mapping[str, float]


@dataclass(frozen=True)
class Table:
    """One of the paper's tables: its number, title, data set and columns."""

    number: int
    title: str
    data: str
    columns: tuple[Column, ...]


def row_title(row: str) -> str:
    """Write `hgfn_dmtl` as the paper does: HGFN + DMTL."""
    return " + ".join(TITLES.get(part, part.upper()) for part in row.split("_"))


def tables_of(data: str, tasks: Sequence[str]) -> list[Table]:
    """List the tables of a data set with these tasks; a task that it lacks has none."""
    if data == "youtube":
        return [
            Table(4, "Means over the concepts", data, _scores(MEAN, paper.YOUTUBE)),
            Table(5, "Accuracy by concept", data, _accuracies(tasks)),
        ]
    wanted = [
        (1, "Data informative", "informative", paper.INFORMATIVE),
        (2, "Humanitarian category", "humanitarian", paper.HUMANITARIAN),
        (3, "Damage level", "damage", paper.DAMAGE),
    ]
    return [Table(n, title, data, _scores(t, told)) for n, title, t, told in wanted if t in tasks]


def _scores(task: str, told: Mapping[str, Sequence[float]]) -> tuple[Column, ...]:
    return tuple(
        Column(task, score, score.upper(), {row: values[i] for row, values in told.items()})
        for i, score in enumerate(paper.SCORES)
    )


def _accuracies(tasks: Sequence[str]) -> tuple[Column, ...]:
    """The paper's concepts in its order, then those that only these data have."""
    known = [concept for concept in CONCEPTS if concept in tasks]
    told = {c: i for i, c in enumerate(CONCEPTS)}
    return tuple(
        Column(
            concept,
            "accuracy",
            concept.replace("_", " "),
            {row: values[told[concept]] for row, values in paper.YOUTUBE_ACCURACY.items()}
            if concept in told
            else {},
        )
        for concept in [*known, *(task for task in tasks if task not in told)]
    )


def compare(table: Table, rows: Mapping[str, Estimates]) -> pd.DataFrame:
    """Build one line a row and column: the score, its interval, both differences, the paper's.

    The best other row is the one with the best mean in that column on the test side.
    """
    lines = []
    for column in table.columns:
        key = column.task, column.score
        found = {row: estimates[key] for row, estimates in rows.items()}
        for row, value in found.items():
            best = _best(column.score, {name: v for name, v in found.items() if name != row})
            lines.append(
                {
                    "row": row,
                    "task": column.task,
                    "score": column.score,
                    **_told("", value),
                    "sd": value.sd,
                    **_difference("reference", REFERENCE, row, value, found),
                    **_difference("best_other", best, row, value, found),
                    "paper": column.paper.get(row, math.nan),
                }
            )
    return pd.DataFrame(lines)


def _best(score: str, others: Mapping[str, Estimate]) -> str | None:
    sign = -1 if score == "hl" else 1
    defined = {row: sign * value.mean for row, value in others.items() if value.mean == value.mean}
    return max(defined, key=lambda row: defined[row]) if defined else None


def _difference(
    name: str, other: str | None, row: str, value: Estimate, found: Mapping[str, Estimate]
) -> dict[str, object]:
    if other is None or other not in found or other == row:
        nothing = dict.fromkeys((f"{name}_mean", f"{name}_low", f"{name}_high"), math.nan)
        return {name: None, **nothing}
    return {name: other, **_told(f"{name}_", value - found[other])}


def _told(prefix: str, value: Estimate) -> dict[str, object]:
    low, high = value.interval
    return {f"{prefix}mean": value.mean, f"{prefix}low": low, f"{prefix}high": high}
