"""Check params.yaml and the sources before any stage touches its outputs."""

from __future__ import annotations

from pathlib import Path

from pipeline.datasets.source import check_sources
from pipeline.doctor import check_params
from pipeline.ground.command import run
from pipeline.ground.messages import echo
from pipeline.ground.temporaries import write_text


def params() -> None:
    """Write a marker if all is right; it is always the same, so no stage re-runs because of it."""
    values = check_params()
    for note in check_sources(values.data.sources):
        echo(note)
    write_text(Path("data/params.checked"), "params.yaml fits the schema\n")


if __name__ == "__main__":
    run(params)
