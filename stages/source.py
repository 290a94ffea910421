"""Look whether a data set's source, or the published weights, changed since the last run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import typer

from pipeline.datasets.fingerprint import PUBLISHED, fingerprint, pin_source
from pipeline.extractors.weights_fingerprint import weights_fingerprint
from pipeline.ground.command import run
from pipeline.ground.data_set import FINGERPRINT, data_set
from pipeline.ground.temporaries import written_whole
from pipeline.params import load_params

Found = dict[str, Any]


def source(name: str) -> None:
    """Write what a data set's source, or `weights`, holds; keep what was recorded if unknown."""
    file = FINGERPRINT if name == "weights" else data_set(name).fingerprint
    recorded = _read(file)
    found = _weights(recorded) if name == "weights" else _data(name, recorded)
    with written_whole(file) as temporary:
        temporary.write_text(json.dumps(found, indent=2, sort_keys=True) + "\n")


def _read(file: Path) -> Found:
    if not file.is_file():
        return {}
    try:
        recorded = json.loads(file.read_text(encoding="utf-8"))
    except ValueError:  # a merge left its marks
        recorded = None
    if not isinstance(recorded, dict):
        raise ValueError(f"{file} is no JSON object; take it from the last commit, or delete it")
    return recorded


def _data(name: str, recorded: Found) -> Found:
    where = load_params().data.model_dump()[name]["source"]
    found = fingerprint(where)
    if found is None and recorded.get("source") == where:
        # Whoever only has the features can still train: what was downloaded is in DVC's remote.
        typer.echo(f"{name}: {where} is not on this machine; taken to be as it was")
        return recorded
    if found is None and where in PUBLISHED:
        pin_source(where)
        found = fingerprint(where)
    if found is None:
        raise ValueError(
            f"data.{name}.source is {where!r}: nothing is there; correct it in params.yaml"
        )
    return found


def _weights(recorded: Found) -> Found:
    knobs = load_params().features
    found, absent = weights_fingerprint(knobs.weights, knobs.text.model, recorded)
    for file in absent:
        typer.echo(f"weights: {file} is neither given nor pinned here; taken to be as it was")
    return found


if __name__ == "__main__":
    run(source)
