"""All that could not be read of a data set, in one table."""

from __future__ import annotations

import typer

from pipeline.datasets.sets import data_set
from pipeline.features.failures import read_failures, summary, write_failures
from stages.command import run


def failures(name: str) -> None:
    """Join the failures of the index and of each modality."""
    chosen = data_set(name)
    found = [
        failure
        for stage in ("index", *chosen.modalities)
        for failure in read_failures(chosen.failures(stage))
    ]
    write_failures(chosen.folder / "failures.csv", found)
    typer.echo(f"{name}: {summary(found)}")


if __name__ == "__main__":
    run(failures)
