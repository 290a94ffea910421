"""One table of a data set's samples, with tasks, groups and a leak-free split."""

from __future__ import annotations

import json

from pipeline.datasets.index import index_crisismmd, index_posts, index_youtube
from pipeline.ground.command import run
from pipeline.ground.data_set import data_set
from pipeline.ground.failures import summary, write_failures
from pipeline.ground.messages import echo
from pipeline.ground.temporaries import write_text
from pipeline.inputs.parquet import write_table
from pipeline.params import load_params


def index(name: str) -> None:
    """Index one data set; missing files are absent modalities, and are counted in the output."""
    chosen = data_set(name)
    params = load_params().data.of(name)
    if chosen.form == "tweets":
        result = index_crisismmd(
            chosen.raw, params.labels, params.layout, params.split, params.test_event
        )
    elif chosen.form == "clips":
        result = index_youtube(chosen.raw)
    else:
        result = index_posts(chosen.raw)
    write_table(chosen.index, result.table)
    write_text(chosen.tasks, json.dumps(result.tasks, indent=2) + "\n")
    write_failures(chosen.failures("index"), result.failures)
    sides = result.table["split"].value_counts()
    counts = ", ".join(f"{side} {sides.get(side, 0)}" for side in ("train", "val", "test"))
    echo(f"{name}: {len(result.table)} samples ({counts}); {summary(result.failures)}")
    echo(f"{name}: {result.counts}")
    for note in result.notes:
        echo(f"{name}: {note}")


if __name__ == "__main__":
    run(index)
