"""CrisisMMD: from annotations to samples and three tasks."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Any, Literal

import pandas as pd

from pipeline.ground.data_set import SEPARATOR
from pipeline.ground.messages import UNSAFE
from pipeline.inputs.tables import first_clash, is_missing, read_table, refuse

Labels = Literal["agreed", "text", "image"]
Layout = Literal["grouped", "binary"]

COLUMNS = (
    "tweet_id",
    "image_id",
    "text_info",
    "text_info_conf",
    "image_info",
    "image_info_conf",
    "text_human",
    "text_human_conf",
    "image_human",
    "image_human_conf",
    "image_damage",
    "image_damage_conf",
    "tweet_text",
    "image_url",
    "image_path",
)
ENDING = "_final_data.tsv"
EVENTS = f"[!.]*{ENDING}"  # files in annotations/, but not those that a Mac adds
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
# The values of each label column.
VALUES = {
    **dict.fromkeys(("text_info", "image_info"), (*INFORMATIVE, *UNKNOWN)),
    **dict.fromkeys(("text_human", "image_human"), (*HUMANITARIAN, *MERGED, *UNKNOWN)),
    "image_damage": (*DAMAGE, *UNKNOWN),
}

# Spreadsheets keep 15 digits of a number, float64 not many more; a tweet's id has 18 or 19.
EXACT = 15
# One genuine id in 200 ends in three zeros. If more than this share of a table's ids do, and more
# rows than one tweet with four photos has, they were rounded.
MOST_ZEROS, FEW = 0.02, 4
DIGITS = (
    "all digits of a whole number, or empty. Was the table opened in a spreadsheet? It rounds ids; "
    "take them from the original"
)
# A number as a program or a spreadsheet writes it; 12e34 is more likely part of a hash.
_NUMBER = re.compile(r"[+-]?\d[\d,]*(\.\d*(e\d+)?)?(e\+\d+)?", re.IGNORECASE)

TASKS = [
    {"name": "informative", "classes": INFORMATIVE, "negative": "not_informative"},
    {"name": "humanitarian", "classes": HUMANITARIAN, "negative": "not_humanitarian"},
    {"name": "damage", "classes": DAMAGE, "negative": "little_or_no_damage"},
]


def read_annotations(raw: Path) -> pd.DataFrame:
    """Read every event's annotations: one row per image, all columns text, sorted by image path.

    A further column `event` holds the event, which is the name of the row's file.

    Raises ValueError naming the folder, file or row that does not fit the official layout.
    """
    files = sorted((raw / "annotations").glob(EVENTS))
    if not files:
        raise ValueError(f"{raw}/annotations holds no *_final_data.tsv: not CrisisMMD's layout")
    table = pd.concat([_read_event(file) for file in files], ignore_index=True)
    paths = table["image_path"]
    if clash := first_clash(paths.map(_id)):
        first, second = paths[list(clash)]
        raise ValueError(
            f"{raw}/annotations: the photos of two rows have one name, {first!r} and {second!r}; "
            "delete a row, or rename a photo"
        )
    return table.sort_values("image_path", ignore_index=True)


def read_samples(raw: Path, labels: Labels) -> pd.DataFrame:
    """Read one row per tweet-image pair: id, event, tweet, text, image and a label per task.

    `tweet` and `image_id` are null where the table has none, labels where unknown. `labels` says
    which annotation counts where text and image disagree; `agreed` keeps only the labels on which
    both agree, after merging to five classes. Only images have a damage label.
    """
    table = read_annotations(raw)
    return pd.DataFrame(
        {
            "id": table["image_path"].map(_id),
            "event": table["event"],
            "tweet": _known(table["tweet_id"]),
            "image_id": _known(table["image_id"]),
            "text": table["tweet_text"],
            "image": table["image_path"],
            "informative": _labels(table, "info", INFORMATIVE, labels),
            "humanitarian": _labels(table, "human", HUMANITARIAN, labels),
            "damage": codes(table["image_damage"], DAMAGE),
        }
    )


def one_task_a_class(
    table: pd.DataFrame, tasks: list[dict[str, Any]]
) -> tuple[pd.DataFrame, list[dict[str, Any]]]:
    """Replace each softmax task's column by a yes-or-no column per class, `<task>_<class>`.

    The paper's introduction speaks of a task per class; its tables have one per concept. An unknown
    label is unknown for all of its classes.
    """
    binary = []
    for task in tasks:
        column = table.pop(task["name"])
        for code, name in enumerate(task["classes"]):
            label = f"{task['name']}_{name}"
            table[label] = (column == code).astype("Int64").where(column.notna())
            binary.append(
                {"name": label, "classes": ("no", "yes"), "negative": "no", "head": "sigmoid"}
            )
    return table, binary


def codes(column: pd.Series, classes: Sequence[str]) -> pd.Series:
    """Return the number of each annotated class after merging; null for any other value."""
    numbers = {name: code for code, name in enumerate(classes)}
    return column.replace(MERGED).map(numbers).astype("Int64")


def _read_event(file: Path) -> pd.DataFrame:
    # Default CSV quoting would change 103 of the real tweets.
    table = read_table(file, quoting=False, required=COLUMNS)
    paths = table["image_path"]
    refuse(file, paths, ~paths.map(_is_photo), "a path below data_image/, without ;")
    for column, allowed in VALUES.items():
        strange = ~table[column].isin(allowed) & ~is_missing(table[column])
        refuse(file, table[column], strange, ", ".join(allowed))
    for column in ("tweet_id", "image_id"):
        refuse(file, table[column], _is_rounded(table, column), DIGITS)
    return table[list(COLUMNS)].assign(event=file.name.removesuffix(ENDING))


def _is_photo(path: str) -> bool:
    # The path is opened later, so it must not lead out of data_image/.
    parts = PurePosixPath(path).parts
    below = len(parts) > 1 and parts[0] == "data_image" and ".." not in parts
    return below and not re.search(rf"{SEPARATOR}|{UNSAFE}", path)


def _is_rounded(table: pd.DataFrame, column: str) -> pd.Series:
    """Whether each id is not a whole number, or was rounded by a spreadsheet.

    Rounded ids would merge different tweets.
    """
    ids = _known(table[column])
    if column == "image_id":  # <tweet>_<n>, or any text in another data set
        ids = ids.str.partition("_")[0]
        ids = ids.where(ids.str.fullmatch(_NUMBER, na=False))
    # The name of the photo's file still has all digits.
    named = table["image_path"].str.extract(r"([0-9]+)_[^/]*$", expand=False)
    long = ids.str.len() > EXACT
    different = long & (ids != named) & (ids.str[:EXACT] == named.str[:EXACT])
    zeros = long & (ids != named) & ids.str.endswith("000", na=False)
    if zeros.sum() <= max(FEW, MOST_ZEROS * len(ids)):
        zeros &= ids.str.endswith("0" * 9, na=False)
    return ~ids.str.fullmatch("[0-9]+", na=True) | different | zeros


def _id(image_path: str) -> str:
    return PurePosixPath(image_path).stem


def _known(ids: pd.Series) -> pd.Series:
    """Replace ids that mean no value by null, such as `nan` and `nan_0`."""
    number = r"_[0-9]*\s*$"
    return ids.str.strip().mask(is_missing(ids.str.replace(number, "", regex=True)), None)


def _labels(table: pd.DataFrame, group: str, classes: tuple[str, ...], labels: Labels) -> pd.Series:
    text = codes(table[f"text_{group}"], classes)
    image = codes(table[f"image_{group}"], classes)
    if labels == "text":
        return text
    if labels == "image":
        return image
    return text.where((text == image).fillna(False))
