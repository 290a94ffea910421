"""One table of a data set's samples, with tasks, groups and a leak-free split."""

from __future__ import annotations

import json

import typer

from pipeline.datasets.clips.lost import Lost, read_lost
from pipeline.datasets.index import Absence, Index, index_crisismmd, index_youtube
from pipeline.ground.command import run
from pipeline.ground.data_set import DataSet, data_set
from pipeline.ground.failures import Failure, summary, write_failures
from pipeline.params import load_params

REASONS = {
    "missing_file": "named by the raw data, but not there",
    "empty_text": "nothing is said",
}


def index(name: str) -> None:
    """Index one data set; files that are not there are absent modalities, counted and told."""
    chosen = data_set(name)
    if name == "crisismmd":
        knobs = load_params().data.crisismmd
        result = index_crisismmd(chosen.raw, knobs.labels, knobs.layout, knobs.split)
    else:
        result = index_youtube(chosen.raw)
    _write(chosen, result)
    if result.note:
        typer.echo(f"{chosen.name}: {result.note}")


def _write(chosen: DataSet, result: Index) -> None:
    result.table.to_parquet(chosen.index, index=False)
    chosen.tasks.write_text(json.dumps(result.tasks, indent=2) + "\n")
    lost = read_lost(chosen.raw)
    failures = [_failure(absence, lost) for absence in result.absent]
    write_failures(chosen.failures("index"), failures)
    sides = result.table["split"].value_counts()
    counts = ", ".join(f"{side} {sides.get(side, 0)}" for side in ("train", "val", "test"))
    typer.echo(f"{chosen.name}: {len(result.table)} samples ({counts}); {summary(failures)}")


def _failure(absence: Absence, lost: Lost) -> Failure:
    """Say why something is absent: of a clip that could not be fetched, what the site said."""
    name, modality, kind = absence
    if kind == "missing_file" and name in lost:
        return Failure(name, modality, *lost[name])
    return Failure(name, modality, kind, REASONS[kind])


if __name__ == "__main__":
    run(index)
