"""The Markdown sibling, and two commits side by side."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from typer.testing import CliRunner

from pipeline.cli import app
from tests.report.project import TASKS, write_project

PATH = Path("metrics/crisismmd.json")


def run(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["report", "crisismmd", *arguments])
    return result.exit_code, result.output


def git(*arguments: str) -> None:
    user = ("-c", "user.name=a", "-c", "user.email=a@example.invalid")
    subprocess.run(["git", *user, *arguments], check=True, capture_output=True)


@pytest.fixture
def history(project: Path) -> None:
    """A repository with a commit without scores (`empty`), then one with them (`scored`)."""
    write_project()
    git("init", "-q")
    git("commit", "-q", "--allow-empty", "-m", "empty")
    git("tag", "empty")
    git("add", str(PATH))
    git("commit", "-q", "-m", "scored")
    git("tag", "scored")


def test_every_task_has_a_line_with_the_numbers_of_the_metrics(project: Path) -> None:
    write_project()
    code, text = run()
    scores = json.loads(PATH.read_text())
    assert code == 0
    for name in ("all tasks", *(task.name for task in TASKS)):
        [line] = [line for line in text.splitlines() if line.startswith(f"| **{name}**")]
        values = scores["mean" if name == "all tasks" else name]
        cells = [cell.split()[0] for cell in line.strip("| ").split(" | ")[1:4]]
        assert cells == [f"{values[key]:.3f}" for key in ("f1", "hl", "map")]


@pytest.mark.usefixtures("history")
def test_two_commits_stand_side_by_side() -> None:
    scores = json.loads(PATH.read_text())
    then = scores["flood"]["f1"]
    scores["flood"]["f1"] = then + 0.1
    PATH.write_text(json.dumps(scores))
    code, text = run("--against", "scored")
    assert code == 0
    assert f"| flood, F1 | {then:.3f} | {then + 0.1:.3f} | +0.100 |" in text


@pytest.mark.usefixtures("history")
def test_an_experiment_is_a_revision_too() -> None:
    git("update-ref", "refs/exps/12/3456/wide-try", "scored")
    assert run("--against", "wide-try")[0] == 0


@pytest.mark.usefixtures("history")
@pytest.mark.parametrize(
    ("revision", "message"),
    [
        ("nowhere", "git knows no commit, branch, tag or experiment 'nowhere'"),
        ("--output=x", "git knows no commit, branch, tag or experiment '--output=x'"),
        ("", "git knows no commit, branch, tag or experiment ''"),
        ("empty", "has no metrics/crisismmd.json: its results were not committed"),
    ],
)
def test_a_revision_without_scores_ends_in_one_line(revision: str, message: str) -> None:
    code, text = run(f"--against={revision}")
    assert code == 1
    assert len(text.splitlines()) == 1
    assert message in text


@pytest.mark.usefixtures("history")
def test_damaged_scores_of_a_revision_end_in_one_line() -> None:
    kept = PATH.read_text()
    for number, damaged in enumerate(["{", "[1]", '{"mean": {"f1": "high"}}']):
        PATH.write_text(damaged)
        git("commit", "-q", "-am", "damaged")
        git("tag", f"damaged{number}")
    PATH.write_text(kept)
    for number in range(3):
        code, text = run("--against", f"damaged{number}")
        assert code == 1
        assert len(text.splitlines()) == 1
        assert ":metrics/crisismmd.json" in text
