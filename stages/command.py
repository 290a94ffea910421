"""How a stage becomes a command: arguments from its signature, a user's error as one line."""

from __future__ import annotations

from collections.abc import Callable

import typer


def run(stage: Callable[..., None]) -> None:
    """Run a stage with the command line's arguments; ValueError ends in exit code 1, no trace."""
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command()(stage)
    try:
        app()
    except (ValueError, FileNotFoundError) as error:
        typer.echo(f"error: {error}", err=True)
        raise SystemExit(1) from None
