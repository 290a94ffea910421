"""`hgfn explain`: why a model decides as it does on one post."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from pipeline.explanation.description import check_task, describe
from pipeline.prediction.command import STANDARD_INPUT, failure_lines, posts_of, untrained_line
from pipeline.prediction.material import own_posts
from pipeline.prediction.predictor import Predictor


def explain(
    model: Path,
    source: str | None,
    name: str | None,
    post: Mapping[str, Any],
    task: str | None = None,
    weights: Path | None = None,
) -> Iterator[str]:
    """Explain the post `name` of `source`, a manifest or a folder, or the one `post`.

    Without a `source`, the post `name` is one of the model's own set. Yields lines for the user, of
    all tasks or of one. Raises ValueError in one line for what is wrong, also where nothing of the
    post can be read.
    """
    if (name is None) == (not post) or (source is not None and name is None):
        raise ValueError(
            "give --id of a post of the model's own set, an INPUT with --id, or --text, --image, "
            "--video"
        )
    if source == STANDARD_INPUT:
        raise ValueError("standard input is not read here; give a manifest or a folder, and --id")
    predictor = Predictor.load(model, weights=weights)
    check_task(predictor.tasks, task)
    if name is not None and source is None:
        table, root = own_posts(model)
    else:
        _, root, tables = posts_of(source, post, predictor.at_once)
        table = next(tables)
    if name is not None:
        table = _chosen(table, name, str(source or root.parent))
    predicted = predictor.predict(table, root)
    yield from failure_lines(predicted, predictor, table)
    row = predicted.iloc[0]
    confidences = {each.name: float(row[f"{each.name}.confidence"]) for each in predictor.tasks}
    for _, explanation in predictor.explanations(table, root):
        yield from describe(explanation, task, confidences)
    yield from untrained_line(predictor)


def _chosen(table: pd.DataFrame, name: str, source: str) -> pd.DataFrame:
    chosen = table[table["id"] == name]
    if chosen.empty:
        raise ValueError(f"{source}: no post has the id {name!r}; its first is {table['id'][0]!r}")
    return chosen
