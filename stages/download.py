"""Fill a data set's raw folder from its source."""

from __future__ import annotations

from pipeline.datasets.download import fill_raw
from pipeline.ground.command import run
from pipeline.ground.data_set import data_set
from pipeline.ground.messages import echo
from pipeline.params import load_params


def download(name: str) -> None:
    """Fill one data set's raw folder; see `pipeline.datasets.download`."""
    raw = data_set(name).raw
    echo(fill_raw(name, load_params().data.of(name).source, raw))


if __name__ == "__main__":
    run(download)
