"""`hgfn`: what a person types beside dvc."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

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


@app.command()
def compare(
    views: Annotated[
        Path, typer.Argument(help="An .npz with view_<name> [n, d] and Y [n, labels].")
    ],
    seeds: Annotated[int, typer.Option(min=1, help="Splits and initialisations, from 0.")] = 5,
    out: Annotated[Path, typer.Option(help="Folder of the results.")] = Path("results"),
    fusion: Annotated[
        list[str] | None, typer.Option(help="Only this fusion; may be given again.")
    ] = None,
    mtl: Annotated[
        list[str] | None, typer.Option(help="Only this multi-task method; may be given again.")
    ] = None,
) -> None:
    """Compare every fusion x multi-task pair with logistic regression on your own features.

    Y holds 1, 0, and -1 for unknown; a view's row with a NaN is absent. Optional: groups [n], kept
    whole; split [n] of train, val, test; labels [labels], their names. Writes comparison.md, .csv
    and .png, and runs.csv, from which a later run goes on. hgfn + dmtl always runs: differences are
    to it. HGFN_WORKERS sets the number of processes.
    """
    # Not at the top: torch takes seconds to load, and the other commands do without.
    from pipeline.evaluation.comparison_command import run_comparison

    try:
        table = run_comparison(views, seeds, out, fusion, mtl)
    except (ValueError, OSError) as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(1) from None
    typer.echo("\n".join([*_ranking(table), f"written: {out / 'comparison.md'}"]))


def _ranking(lines: Sequence[tuple[str, float]]) -> list[str]:
    width = max(len(name) for name, _ in lines)
    return [f"{name:<{width}}  MAP {score:.3f}" for name, score in lines]
