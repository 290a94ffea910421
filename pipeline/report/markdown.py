"""The short sibling of the page, in Markdown: for a pull request."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path

from pipeline.evaluation.comparison.estimates import MEAN
from pipeline.evaluation.comparison.report import grid
from pipeline.evaluation.scores import MEANS
from pipeline.ground.data_set import DataSet, data_set
from pipeline.ground.failures import summary
from pipeline.report.material import Metrics, read_material, read_scores
from pipeline.report.provenance import warning
from pipeline.report.quality import LABELS, MISSING, Score, ScoreTable, score_tables, verdict
from pipeline.report.revisions import scores_at
from pipeline.training.model import read_config


def report_lines(name: str, revision: str | None) -> Iterator[str]:
    """Yield `short_report` of a data set, and `against` where there is a revision.

    Raises ValueError for a wrong one before the first line: no report looks whole that is not.
    """
    data = data_set(name)
    changes = ["", *against(data, revision)] if revision is not None else []
    yield from short_report(data)
    yield from changes


def short_report(data: DataSet) -> Iterator[str]:
    """Yield the lines of a data set's verdict, and of its scores beside those of the baselines.

    Raises ValueError naming the file that is missing, damaged or of another run.
    """
    material, facts = read_material(data), read_config(Path("models") / data.name)
    tables = score_tables(material)
    yield f"## {data.name}"
    yield ""
    yield verdict(tables[0])
    if untrained := warning(facts):
        yield ""
        yield f"**Do not judge by these scores.** {untrained}"
    yield ""
    yield score_grid(tables)
    yield ""
    yield (
        f"{len(material.test):,} test samples; in brackets 95 % intervals over draws of them. "
        f"Extraction: {summary(material.failures)}. More: `reports/{data.name}.html`."
    )


def score_grid(tables: Sequence[ScoreTable]) -> str:
    """Write one table of all tasks: a line a model."""
    header = ["", *LABELS.values()]
    lines = [
        [
            f"**{_title(table.task)}**, {line.title}" if line is table.model else line.title,
            *(_cell(line.scores[key]) for key in LABELS),
        ]
        for table in tables
        for line in table.lines
    ]
    return grid(header, lines)


def against(data: DataSet, revision: str) -> Iterator[str]:
    """Yield the lines of a table: each task's scores at a revision and in the working tree.

    Raises ValueError as `scores_at` does.
    """
    path = Path("metrics") / f"{data.name}.json"
    if not path.is_file():
        raise ValueError(f"{path} is missing; run `dvc repro evaluate@{data.name}`")
    then, now = scores_at(revision, path), read_scores(path)[0]
    yield f"## {data.name}: then at {revision} ({then.commit[:7]}), now in the working tree"
    yield ""
    yield change_grid(then.metrics, now)
    yield ""
    yield "HL is a loss: lower is better. A change says nothing by itself: see the intervals above."


def change_grid(then: Metrics, now: Metrics) -> str:
    """Write a line for each task and score that either side has."""
    header = ["", "then", "now", "change"]
    lines = []
    for task in [MEAN, *sorted((then.keys() | now.keys()) - {MEAN})]:
        for key in MEANS:
            before, after = (float(side.get(task, {}).get(key, math.nan)) for side in (then, now))
            if not (math.isnan(before) and math.isnan(after)):
                change = MISSING if math.isnan(after - before) else f"{after - before:+.3f}"
                lines.append(
                    [f"{_title(task)}, {LABELS[key]}", _number(before), _number(after), change]
                )
    return grid(header, lines)


def _title(task: str) -> str:
    return "all tasks" if task == MEAN else task


def _cell(score: Score) -> str:
    if math.isnan(score.low):
        return _number(score.value)
    return f"{_number(score.value)} [{score.low:.3f}, {score.high:.3f}]"


def _number(value: float) -> str:
    return MISSING if math.isnan(value) else f"{value:.3f}"
