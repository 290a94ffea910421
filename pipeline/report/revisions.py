"""Scores of another commit or experiment, from git: `metrics/` is committed with the code."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import NamedTuple

from pipeline.report.material import Metrics, checked_scores


class Revision(NamedTuple):
    """The scores of a data set at a commit, without those of `leak_free`."""

    commit: str
    metrics: Metrics


def scores_at(revision: str, path: Path) -> Revision:
    """Read the scores in `path` at a commit, branch, tag or experiment.

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
    return Revision(commit, checked_scores(named, values)[0])


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
    """Run git; None where it fails, as in a folder outside any repository."""
    done = subprocess.run(["git", *arguments], capture_output=True, check=False)
    return done.stdout if done.returncode == 0 else None
