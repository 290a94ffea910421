"""The short sibling of the page, in Markdown, and the scores of another commit: for a pull request.

`metrics/` is committed with the code, so that git has the scores of every commit and experiment.
"""

from __future__ import annotations

import json
import math
import re
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

from pipeline.evaluation.comparison.estimates import MEAN
from pipeline.evaluation.comparison.report import grid
from pipeline.evaluation.scores import MEANS
from pipeline.ground.data_set import DataSet, data_set
from pipeline.ground.failures import summary
from pipeline.report.material import Metrics, checked_scores, read_material, read_scores
from pipeline.report.provenance import warning
from pipeline.report.quality import (
    LABELS,
    Score,
    ScoreTable,
    number,
    score_tables,
    verdict,
)
from pipeline.training.model import read_config


def report_lines(name: str, revision: str | None) -> Iterator[str]:
    """Yield a data set's verdict, its scores beside those of the baselines, and those `against`.

    Raises ValueError before the first line, naming the file that is missing, damaged or of another
    run, or the revision that is wrong.
    """
    data = data_set(name)
    changes = ["", *against(data, revision)] if revision is not None else []
    material, facts = read_material(data), read_config(Path("models") / data.name)
    tables = score_tables(material)
    yield f"## {data.name}"
    yield ""
    yield verdict(tables[0])
    if untrained := warning(facts):
        yield ""
        yield f"**Do not judge by these scores.** {untrained}"
    yield ""
    yield _score_grid(tables)
    yield ""
    yield (
        f"{len(material.test):,} test samples; in brackets 95 % intervals over draws of them. The "
        "lead is this model's over a baseline, on the same draws. "
        f"Extraction: {summary(material.failures)}. More: `reports/{data.name}.html`."
    )
    yield from changes


def _score_grid(tables: Sequence[ScoreTable]) -> str:
    """Write one table of all tasks: a line a model."""
    header = ["", *LABELS.values(), "lead in MAP"]
    lines = [
        [
            f"**{_title(table.task)}**, {line.title}" if line is table.model else line.title,
            *(_cell(line.scores[key], "") for key in LABELS),
            "" if math.isnan(line.lead.low) else _cell(line.lead, "+"),
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
    (commit, then), now = scores_at(revision, path), read_scores(path)[0]
    yield f"## {data.name}: then at {revision} ({commit[:7]}), now in the working tree"
    yield ""
    yield _change_grid(then, now)
    yield ""
    yield "HL is a loss: lower is better. A change says nothing by itself: see the intervals above."


def _change_grid(then: Metrics, now: Metrics) -> str:
    """Write a line for each task and score that either side has."""
    header = ["", "then", "now", "change"]
    lines = []
    for task in [MEAN, *sorted((then.keys() | now.keys()) - {MEAN})]:
        for key in MEANS:
            before, after = (float(side.get(task, {}).get(key, math.nan)) for side in (then, now))
            if not (math.isnan(before) and math.isnan(after)):
                change = number(after - before, "+")
                row = [f"{_title(task)}, {LABELS[key]}", number(before), number(after), change]
                lines.append(row)
    return grid(header, lines)


def scores_at(revision: str, path: Path) -> tuple[str, Metrics]:
    """Return the commit of a branch, tag, experiment or commit, and the scores in `path` there.

    `path` is relative to the current folder. Raises ValueError for a revision that git does not
    know, and for one without such a file.
    """
    commit = _commit(revision)
    data = _git("show", f"{commit}:./{path.as_posix()}")
    if data is None:
        raise ValueError(
            f"{revision} ({commit[:7]}) has no {path}: its results were not committed; name "
            "another revision"
        )
    named = Path(f"{commit[:7]}:{path}")
    try:
        values = json.loads(data)
    except ValueError:
        raise ValueError(f"{named}: not JSON; name another revision") from None
    return commit, checked_scores(named, values)[0]


def _commit(revision: str) -> str:
    """Resolve a revision of git, or an experiment's name, which DVC keeps among refs of its own."""
    arguments = ("rev-parse", "--verify", "--quiet", "--end-of-options")
    found = _git(*arguments, revision + "^{commit}")
    if found is None and re.fullmatch(r"[\w.-]+", revision):
        listed = _git("for-each-ref", "--format=%(objectname)", f"refs/exps/*/*/{revision}")
        found = listed or None
    if found is None:
        raise ValueError(
            f"git knows no commit, branch, tag or experiment {revision!r}; `git log` and `dvc exp "
            "list` show what there is"
        )
    return found.split()[0].decode()


def _git(*arguments: str) -> bytes | None:
    """Run git; None if it fails, as in a folder outside any repository."""
    done = subprocess.run(["git", *arguments], capture_output=True, check=False)
    return done.stdout if done.returncode == 0 else None


def _title(task: str) -> str:
    return "all tasks" if task == MEAN else task


def _cell(score: Score, sign: str) -> str:
    if math.isnan(score.low):
        return number(score.value)
    value, low, high = (number(v, sign) for v in (score.value, score.low, score.high))
    return f"{value} [{low}, {high}]"
