"""CrisisMMD: annotations to index rows and three tasks."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import pandas as pd

from pipeline.datasets.annotations import read_annotations

Labels = Literal["agreed", "text", "image"]

INFORMATIVE = ("not_informative", "informative")
HUMANITARIAN = (
    "not_humanitarian",
    "affected_individuals",
    "infrastructure_and_utility_damage",
    "other_relevant_information",
    "rescue_volunteering_or_donation_effort",
)
DAMAGE = ("little_or_no_damage", "mild_damage", "severe_damage")

# The eight annotated classes become the five of the literature (Ofli et al. 2020).
MERGED = {
    "vehicle_damage": "infrastructure_and_utility_damage",
    "injured_or_dead_people": "affected_individuals",
    "missing_or_found_people": "affected_individuals",
}
UNKNOWN = ("nan", "dont_know_or_cant_judge")

TASKS = [
    {"name": "informative", "classes": INFORMATIVE, "negative": "not_informative"},
    {"name": "humanitarian", "classes": HUMANITARIAN, "negative": "not_humanitarian"},
    {"name": "damage", "classes": DAMAGE, "negative": "little_or_no_damage"},
]


def read_samples(raw: Path, labels: Labels) -> pd.DataFrame:
    """Read one row a tweet-image pair: id, tweet, text, image and a nullable label a task.

    `labels` says which annotation counts where text and image disagree; `agreed` keeps only the
    labels on which both say the same, after merging to five classes. Damage is the image's alone.
    """
    table = read_annotations(raw)
    return pd.DataFrame(
        {
            "id": table["image_path"].map(lambda path: Path(path).stem),
            "tweet": table["tweet_id"],
            "image_id": table["image_id"],
            "text": table["tweet_text"],
            "image": table["image_path"],
            "informative": _labels(table, "info", INFORMATIVE, labels),
            "humanitarian": _labels(table, "human", HUMANITARIAN, labels),
            "damage": _codes(table["image_damage"], DAMAGE),
        }
    )


def _labels(table: pd.DataFrame, group: str, classes: tuple[str, ...], labels: Labels) -> pd.Series:
    text = _codes(table[f"text_{group}"], classes)
    image = _codes(table[f"image_{group}"], classes)
    if labels == "text":
        return text
    if labels == "image":
        return image
    return text.where((text == image).fillna(False))


def _codes(column: pd.Series, classes: tuple[str, ...]) -> pd.Series:
    merged = column.replace(MERGED)
    strange = ~merged.isin([*classes, *UNKNOWN])
    if strange.any():
        raise ValueError(
            f"{column.name} is {column[strange].iloc[0]!r} in {int(strange.sum())} rows; "
            f"allowed: {', '.join([*classes, *MERGED, *UNKNOWN])}"
        )
    return merged.map({name: code for code, name in enumerate(classes)}).astype("Int64")
