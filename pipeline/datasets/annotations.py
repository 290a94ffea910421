"""CrisisMMD's annotation files, read as they really are."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

import pandas as pd

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


def read_annotations(raw: Path) -> pd.DataFrame:
    """Read every event's annotations: one row an image, all columns text, in a fixed order.

    Quoting is off, because default CSV quoting changes 103 of the real tweets. Raises ValueError
    naming the folder, file or row that does not fit the official layout.
    """
    files = sorted((raw / "annotations").glob("[!.]*_final_data.tsv"))
    if not files:
        raise ValueError(f"{raw}/annotations holds no *_final_data.tsv: not CrisisMMD's layout")
    table = pd.concat([_read_event(file) for file in files], ignore_index=True)
    repeated = table.loc[table["image_path"].duplicated(), "image_path"]
    if len(repeated):
        raise ValueError(
            f"{raw}/annotations: image_path {repeated.iloc[0]!r} stands in two rows; keep one"
        )
    return table.sort_values("image_path", ignore_index=True)


def _check_image_path(file: Path, number: int, path: str) -> None:
    # It is read as a file: nothing outside data_image/ may be named.
    parts = PurePosixPath(path).parts
    if len(parts) < 2 or parts[0] != "data_image" or ".." in parts:
        raise ValueError(
            f"{file}: row {number}, image_path is {path!r}; allowed: a path below data_image/"
        )


def _read_event(file: Path) -> pd.DataFrame:
    try:
        # A byte-order mark is not part of the first column's name.
        text = file.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"{file}: not a tab-separated UTF-8 table ({error})") from None
    # Not pandas: its reader shifts or fills a row of too many or too few fields silently.
    header, *rows = (line.rstrip("\r").split("\t") for line in text.rstrip("\r\n").split("\n"))
    missing = [column for column in COLUMNS if column not in header]
    if missing:
        raise ValueError(f"{file}: column {missing[0]} is missing (found {header})")
    for number, row in enumerate(rows, start=2):
        if len(row) != len(header):
            raise ValueError(
                f"{file}: row {number} has {len(row)} fields, the header {len(header)}; "
                "a tweet must hold no tab and no line feed"
            )
        if any("\0" in field for field in row):
            raise ValueError(f"{file}: row {number} holds a NUL byte; fetch it again")
        _check_image_path(file, number, row[header.index("image_path")])
    return pd.DataFrame(rows, columns=header, dtype=str)[list(COLUMNS)]
