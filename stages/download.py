"""Fill a data set's raw folder from its source."""

from __future__ import annotations

import typer

from pipeline.datasets.download import fetch_crisismmd, fetch_youtube
from pipeline.datasets.sets import data_set
from pipeline.params import load_params
from stages.command import run


def download(name: str) -> None:
    """Fetch one data set; see `pipeline.datasets.download`."""
    data, raw = load_params().data, data_set(name).raw
    if name == "crisismmd":
        typer.echo(fetch_crisismmd(data.crisismmd.source, raw))
    else:
        typer.echo(fetch_youtube(data.youtube.source, raw))


if __name__ == "__main__":
    run(download)
