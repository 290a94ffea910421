"""`hgfn`: what a person types beside dvc."""

from __future__ import annotations

from pathlib import Path

import typer

from pipeline.doctor import diagnose

app = typer.Typer(add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False)


@app.callback()
def hgfn() -> None:
    """Hierarchical multimodal fusion with dynamic multi-task learning: tools beside `dvc`."""


@app.command()
def doctor() -> None:
    """Check settings, DVC's lock and every file of DVC's cache; say the cure of each fault."""
    faults = list(diagnose(Path()))
    for fault in faults:
        typer.echo(f"fault: {fault}", err=True)
    typer.echo(f"{len(faults)} faults found" if faults else "nothing wrong")
    raise typer.Exit(1 if faults else 0)
