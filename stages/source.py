"""Look whether a data set's source changed since it was downloaded."""

from __future__ import annotations

import json

import typer

from pipeline.datasets.fingerprint import fingerprint
from pipeline.datasets.sets import data_set
from pipeline.params import load_params
from stages.command import run


def source(name: str) -> None:
    """Write the source's fingerprint; where the source is not at hand, keep the recorded one."""
    chosen = data_set(name)
    where = load_params().data.model_dump()[name]["source"]
    file = chosen.fingerprint
    found = fingerprint(where)
    if found is None:
        recorded = json.loads(file.read_text()) if file.is_file() else {}
        if recorded.get("source") != where:
            raise ValueError(
                f"data.{name}.source is {where!r}: nothing is there; correct it in params.yaml"
            )
        # Whoever only has the features can still train: what was downloaded is in DVC's remote.
        typer.echo(f"{name}: {where} is not on this machine; taken to be as it was")
        return
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(found, indent=2, sort_keys=True) + "\n")


if __name__ == "__main__":
    run(source)
