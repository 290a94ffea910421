"""One leak-free split for all tasks: whole groups, stratified by every task's labels at once."""

from __future__ import annotations

import numpy as np
import pandas as pd
from iterstrat.ml_stratifiers import MultilabelStratifiedKFold

# 60/20/20 (the paper's): three of five folds train, one validates, one tests.
FOLDS = ("train", "train", "train", "val", "test")
SEED = 0


def grouped_split(groups: pd.Series, labels: pd.DataFrame, seed: int = SEED) -> pd.Series:
    """Assign train, val or test to each sample; a group is never divided.

    `labels` has one nullable integer column per task. Stratification (Sechidis et al. 2011) is by
    the classes of each task that occur in a group; unknown is one of them. The result depends on
    the samples and the seed, not on their order. Raises ValueError for fewer than five groups.
    """
    members = _group_labels(groups, labels).sort_index()
    if len(members) < len(FOLDS):
        raise ValueError(
            f"{len(members)} independent groups of samples cannot be split 60/20/20; "
            f"at least {len(FOLDS)} are needed"
        )
    folds = MultilabelStratifiedKFold(len(FOLDS), shuffle=True, random_state=seed)
    parts = pd.Series("", index=members.index)
    for part, (_, held_out) in zip(FOLDS, folds.split(members, members), strict=True):
        parts.iloc[held_out] = part
    return groups.map(parts)


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
