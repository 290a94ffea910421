"""What the three extraction stages share: from the index to a feature file and its failures."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

import pandas as pd
import typer

from pipeline import runtime
from pipeline.features.extract import extract_features
from pipeline.features.recipe import Item, Recipe, device_of
from pipeline.features.remote_cache import open_cache
from pipeline.ground.data_set import DataSet
from pipeline.ground.failures import retried_kinds, summary, write_failures


def extract(chosen: DataSet, recipe: Recipe, column: str) -> None:
    """Write a modality's feature file and its failures, and tell both in one line."""
    index = pd.read_parquet(chosen.index)
    known = index[column].notna()
    items = [_item(chosen, row, column) for row in index[known].to_dict("records")]
    runtime.engine()  # an unknown engine is refused before anything is hashed
    if runtime.device() != device_of(recipe):
        typer.echo(f"{recipe.modality}: runs on the CPU; HGFN_DEVICE is not for its network")
    cache = open_cache()
    failures = extract_features(
        recipe,
        items,
        absent=index.loc[~known, "id"].tolist(),
        path=chosen.features(recipe.modality),
        cache=cache,
        workers=runtime.workers(),
        retry=retried_kinds(),
    )
    write_failures(chosen.failures(recipe.modality), failures)
    damaged = f"; {cache.damaged} damaged cache entries made again" if cache.damaged else ""
    typer.echo(
        f"{chosen.name} {recipe.modality}: {len(items)} of {len(index)} samples have a source, "
        f"{summary(failures)}{damaged}"
    )


def _item(chosen: DataSet, row: dict[Hashable, Any], column: str) -> Item:
    if column == "text":
        return Item(row["id"], text=row["text"])
    return Item(
        row["id"], path=chosen.raw / row[column], start=_time(row["start"]), end=_time(row["end"])
    )


def _time(value: Any) -> float | None:
    return None if pd.isna(value) else float(value)
