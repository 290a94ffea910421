"""`hgfn`: what a person types beside dvc."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
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
def cache(
    prune_older_than: Annotated[
        str | None, typer.Option(metavar="DAYS", help="Remove entries not used for so long.")
    ] = None,
    max_size: Annotated[
        str | None,
        typer.Option(metavar="SIZE", help="Remove the least recently used above this, as in 2GB."),
    ] = None,
) -> None:
    """Show the cache of single samples' features (HGFN_CACHE), or remove what is old from it.

    Whatever is removed is computed again when it is needed.
    """
    from pipeline.features.cache_report import show_or_prune

    _tell(show_or_prune(prune_older_than, max_size))


@app.command()
def retry(
    kind: Annotated[
        list[str], typer.Option(help="A kind of data/<set>/failures.csv; may be given again.")
    ],
    dry_run: Annotated[bool, typer.Option(help="Only print the commands.")] = False,
) -> None:
    """Try again just the items that failed in a way, then run what depends on them.

    `download_failed` stands for every kind of failed download.
    """
    from pipeline.features.retry import try_again

    _tell(try_again(kind, dry_run))


@app.command()
def weights() -> None:
    """List the published weights: which are needed, from where, their size, licence and place.

    Files in the folder HGFN_WEIGHTS are taken instead of downloads, from which HGFN_MIRROR leads
    to a mirror. Set features.weights to pretrained and run dvc repro to use them.
    """
    from pipeline.extractors.weights_report import weights_report

    _tell(weights_report())


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
    from pipeline.evaluation.comparison.command import run_comparison

    try:
        table = run_comparison(views, seeds, out, fusion, mtl)
    except (ValueError, OSError) as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(1) from None
    typer.echo("\n".join([*_ranking(table), f"written: {out / 'comparison.md'}"]))


def _tell(lines: Iterator[str]) -> None:
    try:
        for line in lines:
            typer.echo(line)
    except (ValueError, OSError) as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(1) from None


def _ranking(lines: Sequence[tuple[str, float]]) -> list[str]:
    width = max(len(name) for name, _ in lines)
    return [f"{name:<{width}}  MAP {score:.3f}" for name, score in lines]
