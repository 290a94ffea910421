"""`hgfn retry`: run again the stages whose items failed in a given way."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections import Counter
from collections.abc import Collection, Iterator, Sequence

from pipeline.ground.data_set import present_sets
from pipeline.ground.failures import DOWNLOAD_KINDS, RETRY, check_kinds, read_failures


def retry(kinds: Sequence[str], dry_run: bool) -> Iterator[str]:
    """Run the stages that have failures of these kinds again; yield one line per step.

    `download_failed` includes every kind of failed download. Raises ValueError for an unknown
    kind, where no stage has run yet, and where dvc fails.
    """
    check_kinds(kinds)
    chosen = sorted({*kinds, *(DOWNLOAD_KINDS if "download_failed" in kinds else ())})
    stages = failed_stages(chosen)
    if not stages:
        yield f"no failure of kind {' or '.join(chosen)}: nothing to retry"
        return
    yield "to retry: " + ", ".join(f"{stage} {count}" for stage, count in sorted(stages.items()))
    for command in commands(stages):
        yield f"{RETRY}={','.join(chosen)} {shlex.join(command)}"
        if not dry_run:
            _run(command, chosen)


def failed_stages(kinds: Collection[str]) -> Counter[str]:
    """Count the failures of these kinds by the stage to run again, such as `visual@youtube`."""
    tables = [(name, path) for name, data in present_sets().items() for path in data.all_failures()]
    if not tables:
        raise ValueError("no table of failures in data/; run `dvc repro` in the project's root")
    return Counter(
        f"{_stage(path.stem, failure.kind)}@{name}"
        for name, path in tables
        for failure in read_failures(path)
        if failure.kind in kinds
    )


def _stage(table: str, kind: str) -> str:
    """Return the stage to run again; a file that is missing in the index must be fetched again."""
    fetched = table == "index" and kind in ("missing_file", *DOWNLOAD_KINDS)
    return "download" if fetched else table


def commands(stages: Collection[str]) -> list[list[str]]:
    """List the dvc commands that run these stages again and then all that depends on them.

    DVC considers a stage done although single items failed, so it is forced. New files are indexed
    before features are extracted.
    """
    fetched = sorted(stage for stage in stages if stage.startswith("download@"))
    indexed = sorted(stage for stage in stages if stage.startswith("index@"))
    extracted = sorted(set(stages) - {*fetched, *indexed})
    force = ["dvc", "repro", "--force", "--single-item"]
    result = []
    if fetched:
        result.append([*force, *fetched])
        result.append(["dvc", "repro", *(s.replace("download", "index") for s in fetched)])
    if indexed:
        result.append([*force, *indexed])
    if extracted:
        result.append([*force, *extracted])
    return [*result, ["dvc", "repro"]]


def _run(command: Sequence[str], kinds: Sequence[str]) -> None:
    environment = {**os.environ, RETRY: ",".join(kinds)}
    python = [sys.executable, "-m", *command]
    code = subprocess.run(python, env=environment, check=False).returncode
    if code:
        raise ValueError(f"`{shlex.join(command)}` failed with exit code {code}; see its message")
