"""Another try for what failed: which stages to run again, and how."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

from pipeline.features.retried import VARIABLE
from pipeline.ground.data_set import SETS
from pipeline.ground.failures import DOWNLOAD_KINDS, check_kinds, read_failures

# What these tables list is mended by fetching again, whichever stage noticed it.
_FETCHED = ("download", "index")


def try_again(kinds: Sequence[str], dry_run: bool) -> Iterator[str]:
    """Run the stages that have failures of these kinds again, or only tell how; yields lines.

    Raises ValueError for an unknown kind, without any table of failures, and when dvc fails.
    """
    kinds = chosen_kinds(kinds)
    stages = failed_stages(kinds)
    if not stages:
        yield f"no failure of kind {' or '.join(kinds)}: nothing to try again"
        return
    yield ", ".join(f"{stage} {count}" for stage, count in sorted(stages.items())) + " to try again"
    for command in commands(stages):
        yield f"{VARIABLE}={','.join(kinds)} {shlex.join(command)}"
        if not dry_run:
            _run(command, kinds)


def chosen_kinds(kinds: Sequence[str]) -> list[str]:
    """Check the kinds; `download_failed` stands for every kind of failed download."""
    check_kinds(kinds)
    downloads = DOWNLOAD_KINDS if "download_failed" in kinds else ()
    return sorted({*kinds, *downloads})


def failed_stages(kinds: Collection[str]) -> Counter[str]:
    """Count the failures of these kinds by the stage to run again: `visual@youtube`."""
    tables = {name: _tables(chosen.folder) for name, chosen in SETS.items()}
    if not any(tables.values()):
        raise ValueError("no table of failures in data/; run `dvc repro` in the project's root")
    return Counter(
        f"{'download' if path.stem in _FETCHED else path.stem}@{name}"
        for name, paths in tables.items()
        for path in paths
        for failure in read_failures(path)
        if failure.kind in kinds
    )


def _tables(folder: Path) -> list[Path]:
    return sorted((folder / "failures").glob("*.csv"))


def commands(stages: Collection[str]) -> list[list[str]]:
    """List the dvc commands that run these stages again and then all that depends on them.

    DVC counts a stage as done when it failed on single items, so that they are forced. What was
    fetched again is indexed before features are tried again.
    """
    fetched = sorted(stage for stage in stages if stage.startswith("download@"))
    extracted = sorted(set(stages) - set(fetched))
    force = ["dvc", "repro", "--force", "--single-item"]
    result = []
    if fetched:
        result.append([*force, *fetched])
        result.append(["dvc", "repro", *(s.replace("download", "index") for s in fetched)])
    if extracted:
        result.append([*force, *extracted])
    return [*result, ["dvc", "repro"]]


def _run(command: Sequence[str], kinds: Sequence[str]) -> None:
    environment = {**os.environ, VARIABLE: ",".join(kinds)}
    python = [sys.executable, "-m", *command]
    code = subprocess.run(python, env=environment, check=False).returncode
    if code:
        raise ValueError(f"`{shlex.join(command)}` ended with code {code}; see its message above")
