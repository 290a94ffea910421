"""A stage as a command: its arguments, its exit code, and errors as one line."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.datasets.duplicates import cluster
from pipeline.ground.command import run

ROOT = Path(__file__).resolve().parents[2]
Call = Callable[..., int]


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch) -> Call:
    """Runs a stage with a command line; returns the exit code."""
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)  # typer replaces it

    def with_arguments(stage: Callable[..., None], *arguments: str) -> int:
        monkeypatch.setattr(sys, "argv", ["stage", *arguments])
        with pytest.raises(SystemExit) as ended:
            run(stage)
        return int(ended.value.code or 0)

    return with_arguments


def module(name: str, *arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", f"stages.{name}", *arguments]
    return subprocess.run(
        command, cwd=folder, env={"PYTHONPATH": str(ROOT)}, capture_output=True, text=True
    )


def test_arguments_come_from_the_signature(call: Call) -> None:
    names = []

    def stage(name: str) -> None:
        names.append(name)

    assert call(stage, "youtube") == 0
    assert names == ["youtube"]
    assert call(stage) == 2
    assert names == ["youtube"]


NOTED = ValueError("wrong shape")
NOTED.add_note("while clip 7 was read")


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (ValueError("seed is -1; allowed: 0 or more"), "seed is -1; allowed: 0 or more"),
        (ValueError("\x1b]0;owned\x07.csv: no table"), r"\x1b]0;owned\x07.csv: no table"),
        (NOTED, "wrong shape, while clip 7 was read"),
        (OSError("a.mp4: cannot be read"), "a.mp4: cannot be read"),
        (MemoryError("a.mp4: none"), "a.mp4: none"),
        (BrokenPipeError(32, "a worker ended"), "[Errno 32] a worker ended"),
        (KeyError("visual"), "KeyError at {place}: 'visual' (HGFN_TRACE=1 shows more)"),
        (RuntimeError("a\nb"), "RuntimeError at {place}: a b (HGFN_TRACE=1 shows more)"),
    ],
)
def test_an_error_is_one_line_and_exit_code_1(
    call: Call, capsys: pytest.CaptureFixture[str], error: Exception, line: str
) -> None:
    def stage() -> None:
        raise error

    assert call(stage) == 1
    place = f"test_command.py:{stage.__code__.co_firstlineno + 1}"
    assert capsys.readouterr() == ("", f"error: {line.format(place=place)}\n")


def test_a_users_error_keeps_its_traceback_where_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    def stage() -> None:
        raise ValueError("params.yaml: seed is -1; allowed: 0 or more")

    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    monkeypatch.setattr(sys, "argv", ["stage"])
    monkeypatch.setenv("HGFN_TRACE", "1")
    with pytest.raises(ValueError, match="seed is -1"):
        run(stage)


def test_an_error_in_the_pipeline_names_the_line_there(
    call: Call, capsys: pytest.CaptureFixture[str]
) -> None:
    def stage() -> None:
        cluster([])  # of no key at all

    assert call(stage) == 1
    assert capsys.readouterr().err.startswith("error: IndexError at duplicates.py:")


def test_an_unknown_data_set_is_one_line_that_lists_the_known(tmp_path: Path) -> None:
    shutil.copy(ROOT / "params.yaml", tmp_path)
    done = module("index", "crisis", folder=tmp_path)
    assert done.returncode == 1
    assert done.stderr == (
        "error: params.yaml has no data.crisis; add it, or take one of crisismmd, youtube\n"
    )
    assert [path.name for path in tmp_path.iterdir()] == ["params.yaml"]


def test_a_wrong_parameter_stops_before_anything_is_written(tmp_path: Path) -> None:
    text = (ROOT / "params.yaml").read_text()
    (tmp_path / "params.yaml").write_text(text.replace("  alpha: 1.0", "  alpha: abc"))
    done = module("params", folder=tmp_path)
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.startswith("error: params.yaml: mtl.alpha is 'abc'; allowed: ")
    assert done.stderr.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["params.yaml"]
