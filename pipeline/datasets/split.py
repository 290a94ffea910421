"""One leak-free split for all tasks: whole groups, stratified by every task's labels at once."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from iterstrat.ml_stratifiers import MultilabelStratifiedKFold

# 60/20/20 (the paper's): three of five folds train, one validates, one tests.
FOLDS = ("train", "train", "train", "val", "test")
# 75/25: where a whole event is the test side.
WITHOUT_TEST = ("train", "train", "train", "val")
SEED = 0


def grouped_split(
    groups: pd.Series,
    labels: pd.DataFrame,
    seed: int = SEED,
    folds: Sequence[str] = FOLDS,
) -> pd.Series:
    """Assign each sample the side of one of the equal `folds`; a group is never divided.

    `labels` has one nullable integer column per task. Stratification (Sechidis et al. 2011) is by
    the classes of each task that occur in a group; unknown is one of them. The result depends on
    the samples and the seed, not on their order. Raises ValueError for fewer groups than folds.
    """
    if groups.nunique() < len(folds):
        shares = "/".join(
            f"{100 // len(folds) * folds.count(side)}" for side in dict.fromkeys(folds)
        )
        raise ValueError(
            f"{groups.nunique()} independent groups of samples cannot be split {shares}; "
            f"at least {len(folds)} are needed"
        )
    members = _group_labels(groups, labels).sort_index()
    divided = MultilabelStratifiedKFold(len(folds), shuffle=True, random_state=seed)
    parts = pd.Series("", index=members.index)
    for part, (_, held_out) in zip(folds, divided.split(members, members), strict=True):
        parts.iloc[held_out] = part
    return groups.map(parts)


def event_split(
    events: pd.Series, groups: pd.Series, labels: pd.DataFrame, event: str
) -> pd.Series:
    """Make one event the test side, and divide all others 75/25 into train and val.

    A sample of another event that shares a group with the test event is on no side: null. For the
    rest see `grouped_split`.
    """
    test = events == event
    touched = groups.isin(groups[test]) & ~test
    others = ~test & ~touched
    sides = pd.Series("test", index=events.index).where(test, None)
    sides[others] = grouped_split(groups[others], labels[others], folds=WITHOUT_TEST)
    return sides


def _group_labels(groups: pd.Series, labels: pd.DataFrame) -> pd.DataFrame:
    known = [pd.get_dummies(labels[task], prefix=str(task), dummy_na=True) for task in labels]
    size = groups.map(groups.value_counts())
    # Large groups are distributed too; otherwise one of them unbalances the fractions.
    bins = pd.get_dummies(np.minimum(size, 4), prefix="size")
    return pd.concat([*known, bins], axis=1).groupby(groups).max().astype(int)


def check_no_leak(index: pd.DataFrame, keys: dict[str, pd.Series]) -> None:
    """Raise ValueError if a key's value (null: none) is on two sides of the split.

    `keys` maps the name of a key (tweet id, image bytes, ...) to one value per sample.
    """
    for name, values in {"group": index["group"], **keys}.items():
        sides = index["split"].groupby(values).nunique()
        leaking = sides[sides > 1]
        if len(leaking):
            raise ValueError(
                f"the split leaks: {len(leaking)} values of {name} are on two sides, "
                f"the first is {leaking.index[0]!r}"
            )


def in_training(index: pd.DataFrame) -> pd.Series:
    """Whether each sample is a test sample whose group is in training too."""
    trained = index.loc[index["split"] == "train", "group"]
    return (index["split"] == "test") & index["group"].isin(trained)
