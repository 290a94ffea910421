"""Check params.yaml and the sources before any stage touches its outputs."""

from __future__ import annotations

from pathlib import Path

import typer

from pipeline.datasets.source import check_sources
from pipeline.ground.command import run
from pipeline.models.fusion import check_fusion
from pipeline.mtl import check_mtl
from pipeline.params import load_params


def params() -> None:
    """Write a marker that all is well; always the same, so that nothing re-runs because of it."""
    values = load_params()
    check_fusion(values.fusion.name, values.fusion.theta, values.fusion.options)
    check_mtl(values.mtl.name, values.mtl.options, alpha=values.mtl.alpha, beta=values.mtl.beta)
    for note in check_sources(values.data.sources):
        typer.echo(note)
    marker = Path("data/params.checked")
    marker.parent.mkdir(exist_ok=True)
    marker.write_text("params.yaml fits the schema\n")


if __name__ == "__main__":
    run(params)
