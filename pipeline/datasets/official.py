"""CrisisMMD's official single-task splits, for comparison with the literature."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from pipeline.datasets.raw_files import require_file
from pipeline.inputs.archive import read_members
from pipeline.inputs.tables import read_table

Split = Literal["grouped", "official_informative", "official_humanitarian", "official_damage"]
Tasks = list[dict[str, Any]]

# Our names for the sides of a split, and the files'.
SIDES = {"train": "train", "val": "dev", "test": "test"}
# Where the official archive holds the split files (the first: also zipped), and where a raw
# folder does.
HOMES = ("crisismmd_datasplit_all", "splits")
LARGEST = 64 << 20  # bytes of one split file
_NAME = re.compile(r"task_(informative|humanitarian|damage)(_text_img)?_(train|dev|test)\.tsv")


def official_samples(
    raw: Path, samples: pd.DataFrame, tasks: Tasks, split: Split
) -> tuple[pd.DataFrame, Tasks, str]:
    """Select an official split's samples, with their side in `split`, and its one task.

    Samples are matched by image path, since one tweet has two different image ids. The note that
    is returned says how many were left out. Raises ValueError if a side has no sample.
    """
    chosen = [task for task in tasks if split == f"official_{task['name']}"]
    name, others = chosen[0]["name"], [t["name"] for t in tasks if t not in chosen]
    sides = read_split(raw, name)
    members = samples.drop(columns=others).assign(split=samples["image"].map(sides))
    members = members[members["split"].notna()].reset_index(drop=True)
    for side in SIDES:
        if not (members["split"] == side).any():
            raise ValueError(
                f"{raw}: no image of the official {side} split of {name} is annotated; take a "
                "source with all events, or split: grouped"
            )
    left_out, missing = len(samples) - len(members), len(sides) - len(members)
    note = (
        f"{split}: {left_out:,} samples outside of it left out, "
        f"{missing:,} of its images not annotated here"
    )
    return members, chosen, note


def leak_note(table: pd.DataFrame) -> str:
    """Count the test samples that share a tweet, photo or near-duplicate text with training."""
    test = (table["split"] == "test").sum()
    shared = table["leaks"].sum()
    return f"{shared:,} of {test:,} test samples share a tweet, photo or text with training"


def copy_splits(source: Path, folder: Path) -> None:
    """Copy the split files that `source` holds, unpacked or zipped, into the new `folder`.

    Without any, there is no folder. Raises ValueError for a file that cannot be read.
    """
    for name, content in _split_files(source):
        folder.mkdir(exist_ok=True)
        if (folder / name).exists():
            raise ValueError(f"{source}: {name} appears twice; delete one")
        (folder / name).write_bytes(content)


def read_split(raw: Path, task: str) -> dict[str, str]:
    """Read the side (train, val, test) of each image path in a task's official split.

    A path on two sides counts for the later one. Raises ValueError naming the file that is
    missing, or file and row of what does not fit.
    """
    sides: dict[str, str] = {}
    for side, word in SIDES.items():
        sides.update(dict.fromkeys(_images(_file(raw / "splits", task, word)), side))
    return sides


def _split_files(source: Path) -> Iterator[tuple[str, bytes]]:
    for home in HOMES:
        if (source / home).is_dir():
            files = sorted(p for p in (source / home).rglob("*.tsv") if not p.is_dir())
            for path in files:
                if _fits(path.name):
                    yield path.name, require_file(path, source).read_bytes()
            return
    if (packed := source / f"{HOMES[0]}.zip").is_file():
        yield from read_members(require_file(packed, source), _fits, limit=LARGEST)


def _fits(name: str) -> bool:
    return _NAME.fullmatch(name) is not None


def _file(folder: Path, task: str, word: str) -> Path:
    names = [f"task_{task}_text_img_{word}.tsv", f"task_{task}_{word}.tsv"]
    for name in names:
        if (folder / name).is_file():
            return folder / name
    raise ValueError(
        f"data.crisismmd.split is official_{task}, but the source holds no {names[0]}; take one "
        f"with {HOMES[0]}.zip, or split: grouped"
    )


def _images(file: Path) -> list[str]:
    table = read_table(file, delimiter="\t", quoting=False)
    # Of the two layouts in use, one writes Image, the other image.
    table.columns = table.columns.str.lower()
    if "image" not in table.columns:
        raise ValueError(f"{file}: column image is missing; the header is {list(table.columns)}")
    return table["image"].tolist()
