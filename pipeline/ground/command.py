"""A stage as a command: arguments from its signature, errors in one line."""

from __future__ import annotations

import os
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import typer

from pipeline.ground.dvc_files import begin_stage
from pipeline.ground.messages import echo
from pipeline.ground.system_errors import explain

ROOT = Path(__file__).parents[2]


def run(stage: Callable[..., None]) -> None:
    """Run a stage with the command line's arguments; errors end as in `errors_in_one_line`."""
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)
    # Around the stage, not the app: typer ends silently at any broken pipe, also that of a worker.
    app.command()(errors_in_one_line()(stage))
    with errors_in_one_line():
        # DVC names the stage; by hand, a stage may run on files of another dvc.lock.
        if name := os.environ.get("DVC_STAGE"):
            begin_stage(name.rpartition(":")[2])
    app()


@contextmanager
def errors_in_one_line() -> Iterator[None]:
    """Turn an error into one line and exit code 1; with HGFN_TRACE=1 its traceback is printed.

    ValueError (of the user's files and settings), OSError and MemoryError are messages for users.
    The line of any other names its place in the code: it may be a fault of the program.
    """
    try:
        yield
    except Exception as error:
        if os.environ.get("HGFN_TRACE"):
            raise
        line = explain(error)
        if not isinstance(error, ValueError | OSError | MemoryError):
            line = f"{_place(error)}: {' '.join(line.split())} (HGFN_TRACE=1 shows more)"
        echo(f"error: {line}", err=True)
        raise SystemExit(1) from None


def _place(error: Exception) -> str:
    """Name an error's type and the last line of this project's code that it passed."""
    frames = traceback.extract_tb(error.__traceback__)
    folders = {ROOT / "pipeline", ROOT / "stages"}
    own = [f for f in frames if folders & set(Path(f.filename).parents) and f.filename != __file__]
    frame = (own or frames)[-1]
    return f"{type(error).__name__} at {Path(frame.filename).name}:{frame.lineno}"
