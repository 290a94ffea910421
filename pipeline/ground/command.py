"""A stage as a command: arguments from its signature, errors in one line."""

from __future__ import annotations

import os
from collections.abc import Callable

import typer

from pipeline.ground.dvc_files import begin_stage
from pipeline.ground.messages import echo
from pipeline.ground.system_errors import explain


def run(stage: Callable[..., None]) -> None:
    """Run a stage with the command line's arguments.

    ValueError (of the user's files and settings), OSError and MemoryError end in one line and exit
    code 1; with HGFN_TRACE=1 in the environment the traceback is printed.
    """
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)
    app.command()(stage)
    try:
        # DVC names the stage; by hand, a stage may run on files of another dvc.lock.
        if name := os.environ.get("DVC_STAGE"):
            begin_stage(name.rpartition(":")[2])
        app()
    except (ValueError, OSError, MemoryError) as error:
        if os.environ.get("HGFN_TRACE"):
            raise
        echo(f"error: {explain(error)}", err=True)
        raise SystemExit(1) from None
