"""Fill a data set's raw folder from its source."""

from __future__ import annotations

import typer

from pipeline.datasets.download import fetch_crisismmd, fetch_youtube
from pipeline.ground.command import run
from pipeline.ground.data_set import data_set
from pipeline.params import load_params


def download(name: str) -> None:
    """Fill one data set's raw folder; see `pipeline.datasets.download`."""
    data, raw = load_params().data, data_set(name).raw
    if name == "crisismmd":
        typer.echo(fetch_crisismmd(data.crisismmd.source, raw))
    else:
        typer.echo(fetch_youtube(data.youtube.source, raw))


if __name__ == "__main__":
    run(download)
