"""Training, validation and test rows of ready-made features, checked before anything is trained."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from pipeline.datasets.split import check_no_leak, grouped_split
from pipeline.datasets.views import SIDES, Views


def split_views(path: Path, views: Views, seed: int) -> np.ndarray:
    """Assign train, val or test to each row [n]: the file's own split, or the seed's.

    The latter is 60/20/20 over whole groups, stratified by all labels. Raises ValueError with one
    line that names `path`, for a side without rows, a divided group, and a label or view of which
    training shows too little to learn anything.
    """
    try:
        split = views.split if views.split is not None else _make(views, seed)
        check_no_leak(pd.DataFrame({"group": views.groups.astype(str), "split": split}), {})
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
    for side in SIDES:
        if not (split == side).any():
            raise ValueError(f"{path}: split has no {side} row; bring all of {', '.join(SIDES)}")
    which = "" if views.split is not None else f" in the split of seed {seed}"
    _check_labels(path, views, split, which)
    _check_views(path, views, split, which)
    return split


def _make(views: Views, seed: int) -> np.ndarray:
    known = pd.DataFrame(views.labels, columns=list(views.names))
    parts = grouped_split(pd.Series(views.groups), known.mask(known < 0).astype("Int64"), seed)
    return parts.to_numpy(str)


def _check_labels(path: Path, views: Views, split: np.ndarray, which: str) -> None:
    train = views.labels[split == "train"]
    for value, word in ((1, "positive"), (0, "negative")):
        missing = ~(train == value).any(axis=0)
        if missing.any():
            name = views.names[int(missing.argmax())]
            raise ValueError(
                f"{path}: label {name} has no {word} among the training rows{which}; leave it out, "
                "or bring a split that shows it to training"
            )
    for side in ("val", "test"):
        if not (views.labels[split == side] == 1).any():
            raise ValueError(f"{path}: no {side} row has a positive of any label{which}")


def _check_views(path: Path, views: Views, split: np.ndarray, which: str) -> None:
    for name, values in views.features.items():
        if np.isnan(values[split == "train"]).any(axis=1).all():
            raise ValueError(
                f"{path}: view_{name} has NaN in every training row{which}; leave it out"
            )
