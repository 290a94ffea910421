"""Check params.yaml and the sources before any stage touches its outputs."""

from __future__ import annotations

from pathlib import Path

import typer

from pipeline.datasets.source import check_sources
from pipeline.ground.command import run
from pipeline.models.fusion import FUSIONS, fusion_class
from pipeline.mtl import METHODS, method_class
from pipeline.params import check_component, load_params


def params() -> None:
    """Write a marker if all is right; it is always the same, so no stage re-runs because of it."""
    values = load_params()
    check_component("fusion", values.fusion, FUSIONS, fusion_class)
    check_component("mtl", values.mtl, METHODS, method_class)
    for note in check_sources(values.data.sources):
        typer.echo(note)
    marker = Path("data/params.checked")
    marker.parent.mkdir(exist_ok=True)
    marker.write_text("params.yaml fits the schema\n")


if __name__ == "__main__":
    run(params)
