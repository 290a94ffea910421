from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from pipeline.cli import app
from pipeline.ground.data_set import SETS
from pipeline.ground.failures import (
    DOWNLOAD_KINDS,
    KINDS,
    RETRY,
    Failure,
    retried_kinds,
    write_failures,
)

FORCE = "dvc repro --force --single-item"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What the stages of a run left: faults of several kinds in several stages."""
    monkeypatch.chdir(tmp_path)
    for name, stage, kinds in [
        ("crisismmd", "index", ["missing_file", "empty_text"]),
        ("crisismmd", "text", []),
        ("crisismmd", "visual", ["truncated", "decode_failed", "truncated"]),
        ("youtube", "download", ["private", "network"]),
        ("youtube", "audio", ["truncated", "not_finite"]),
    ]:
        failures = [Failure(str(k), stage, kind, "") for k, kind in enumerate(kinds)]
        write_failures(SETS[name].failures(stage), failures)
    return tmp_path


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """The commands that were run, and the kinds that each was lines."""
    commands: list[tuple[str, str]] = []

    def note(command: list[str], env: dict[str, str], **_: Any) -> subprocess.CompletedProcess:
        commands.append((" ".join(command[2:]), env[RETRY]))
        return subprocess.CompletedProcess(command, int("text" in command[-1]))

    monkeypatch.setattr(subprocess, "run", note)
    return commands


def hgfn(*kinds: str, options: tuple[str, ...] = ()) -> tuple[int, list[str]]:
    chosen = [part for kind in kinds for part in ("--kind", kind)]
    result = CliRunner().invoke(app, ["retry", *chosen, *options])
    return result.exit_code, result.output.splitlines()


@pytest.mark.parametrize(
    ("kinds", "commands"),
    [
        (("decode_failed",), [f"{FORCE} visual@crisismmd", "dvc repro"]),
        (("truncated",), [f"{FORCE} audio@youtube visual@crisismmd", "dvc repro"]),
        (("private",), [f"{FORCE} download@youtube", "dvc repro index@youtube", "dvc repro"]),
        (
            ("missing_file", "not_finite"),
            [
                f"{FORCE} download@crisismmd",
                "dvc repro index@crisismmd",
                f"{FORCE} audio@youtube",
                "dvc repro",
            ],
        ),
        # Nothing is missing: a clip or a photo must not be fetched again.
        (("empty_text",), [f"{FORCE} index@crisismmd", "dvc repro"]),
    ],
)
def test_only_the_stages_with_such_failures_run_again_in_their_order(
    project: Path, ran: list[tuple[str, str]], kinds: tuple[str, ...], commands: list[str]
) -> None:
    code, lines = hgfn(*kinds)
    assert code == 0
    assert ran == [(command, ",".join(sorted(kinds))) for command in commands]
    assert lines[1:] == [f"{RETRY}={names} {command}" for command, names in ran]


def test_a_dry_run_only_tells(project: Path, ran: list[tuple[str, str]]) -> None:
    assert hgfn("truncated", options=("--dry-run",)) == (
        0,
        [
            "to retry: audio@youtube 1, visual@crisismmd 2",
            f"HGFN_RETRY=truncated {FORCE} audio@youtube visual@crisismmd",
            "HGFN_RETRY=truncated dvc repro",
        ],
    )
    assert not ran


def test_download_failed_stands_for_every_failed_download(
    project: Path, ran: list[tuple[str, str]]
) -> None:
    code, lines = hgfn("download_failed")
    assert (code, lines[0]) == (0, "to retry: download@youtube 2")
    assert {kinds for _, kinds in ran} == {",".join(sorted(DOWNLOAD_KINDS))}


def test_nothing_to_try_again_runs_nothing(project: Path, ran: list[tuple[str, str]]) -> None:
    assert hgfn("too_large") == (0, ["no failure of kind too_large: nothing to retry"])
    assert not ran


def test_an_unknown_kind_is_told_with_those_there_are(project: Path) -> None:
    lines = f"error: unknown kind of failure 'odd'; allowed: {', '.join(KINDS)}"
    assert hgfn("truncated", "odd") == (1, [lines])


def test_without_a_run_before_it_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    lines = "error: no table of failures in data/; run `dvc repro` in the project's root"
    assert hgfn("truncated") == (1, [lines])


def test_a_dvc_that_fails_stops_it(project: Path, ran: list[tuple[str, str]]) -> None:
    write_failures(SETS["youtube"].failures("text"), [Failure("a", "text", "too_large", "")])
    code, lines = hgfn("too_large")
    assert (code, len(ran)) == (1, 1)
    assert lines[-1] == f"error: `{FORCE} text@youtube` failed with exit code 1; see its message"


def test_the_stages_read_the_kinds_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    assert RETRY not in os.environ
    assert retried_kinds() == frozenset()
    monkeypatch.setenv(RETRY, "truncated,private")
    assert retried_kinds() == {"truncated", "private"}
    monkeypatch.setenv(RETRY, "odd")
    with pytest.raises(ValueError, match="unknown kind of failure 'odd'"):
        retried_kinds()


PIPELINE = """
stages:
  visual:
    foreach: [youtube]
    do:
      cmd: python visual.py
      outs: [data/youtube/failures/visual.csv]
  failures:
    foreach: [youtube]
    do:
      cmd: echo again >> runs.txt
      deps: [data/youtube/failures/visual.csv]
"""
# Fails on one clip until it is asked to try `truncated` again, as a stage with a cache does.
STAGE = """
import os, pathlib
retried = "truncated" in os.environ.get("HGFN_RETRY", "")
table = pathlib.Path("data/youtube/failures/visual.csv")
table.parent.mkdir(parents=True, exist_ok=True)
table.write_text("id,modality,kind,message\\n" + "a,visual,truncated,\\n" * (not retried))
"""


@pytest.mark.slow
def test_dvc_runs_again_what_it_counts_as_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "dvc.yaml").write_text(PIPELINE)
    (tmp_path / "visual.py").write_text(STAGE)
    for arguments in (["init", "--no-scm", "-q"], ["repro", "-q"]):
        subprocess.run([sys.executable, "-m", "dvc", *arguments], check=True)
    assert (tmp_path / "runs.txt").read_text() == "again\n"
    code, lines = hgfn("truncated")
    assert (code, lines[0]) == (0, "to retry: visual@youtube 1")
    assert (tmp_path / "runs.txt").read_text() == "again\nagain\n"
    assert hgfn("truncated")[1] == ["no failure of kind truncated: nothing to retry"]
