"""How a stage becomes a command: arguments from its signature, a user's error as one line."""

from __future__ import annotations

import os
from collections.abc import Callable

import typer


def run(stage: Callable[..., None]) -> None:
    """Run a stage with the command line's arguments; ValueError ends in one line and exit code 1.

    HGFN_TRACE in the environment shows where it was raised instead.
    """
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command()(stage)
    try:
        app()
    except (ValueError, FileNotFoundError) as error:
        if os.environ.get("HGFN_TRACE"):
            raise
        typer.echo(f"error: {error}", err=True)
        raise SystemExit(1) from None
