"""How a stage becomes a command: arguments from its signature, a user's error as one line."""

from __future__ import annotations

import os
from collections.abc import Callable

import typer


def run(stage: Callable[..., None]) -> None:
    """Run a stage with the command line's arguments; a user's error ends in one line and code 1.

    So does what the machine could not do: OSError and MemoryError. HGFN_TRACE in the
    environment shows where it was raised instead.
    """
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command()(stage)
    try:
        app()
    except (ValueError, OSError, MemoryError) as error:
        if os.environ.get("HGFN_TRACE"):
            raise
        told = ", ".join([str(error), *getattr(error, "__notes__", ())])
        typer.echo(f"error: {told}", err=True)
        raise SystemExit(1) from None
