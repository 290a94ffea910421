"""CrisisMMD's official single-task splits, for comparison with the literature."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from pipeline.datasets.crisismmd import MERGED, TASKS, Labels, codes
from pipeline.datasets.raw_files import require_file
from pipeline.inputs.archive import read_members
from pipeline.inputs.tables import read_table, refuse

Split = Literal[
    "grouped", "event", "official_informative", "official_humanitarian", "official_damage"
]
Tasks = list[dict[str, Any]]

# Our names for the sides of a split, and the files'.
SIDES = {"train": "train", "val": "dev", "test": "test"}
# Where the authors have the split files, each also zipped: of all samples, and of those on which
# text and image agree. A raw folder has both in the last one.
ALL, AGREED = "crisismmd_datasplit_all", "crisismmd_datasplit_agreed_label"
HOMES = (ALL, AGREED, "splits")
LARGEST = 64 << 20  # bytes of one split file
_NAME = re.compile(
    r"task_((informative|humanitarian)_text_img_agreed_lab|"
    r"(informative|humanitarian|damage)(_text_img)?)_(train|dev|test)\.tsv"
)

Sizes = dict[str, tuple[int, int, int]]
# Samples of train, val and test, in all and by class. The sums are published, and the classes add
# up to them: another project counted humanitarian's in the files; informative's were not checked
# against files or paper. Damage has sums only: they add up to the 3,526 rows of the set that have
# this label, and val's is the number in its file.
PUBLISHED: dict[str, Sizes] = {
    "informative": {
        "samples": (9601, 1573, 1534),
        "informative": (6345, 1056, 1030),
        "not_informative": (3256, 517, 504),
    },
    "humanitarian": {
        "samples": (6126, 998, 955),
        "affected_individuals": (71, 9, 9),
        "rescue_volunteering_or_donation_effort": (912, 149, 126),
        "infrastructure_and_utility_damage": (612, 80, 81),
        "other_relevant_information": (1279, 239, 235),
        "not_humanitarian": (3252, 521, 504),
    },
    "damage": {"samples": (2468, 529, 529)},
}
# Labels that a split file may have; the humanitarian ones also have those before merging.
CLASSES = {task["name"]: [*task["classes"]] for task in TASKS}
CLASSES["humanitarian"] += MERGED


def official_samples(
    raw: Path, samples: pd.DataFrame, tasks: Tasks, split: Split, labels: Labels
) -> tuple[pd.DataFrame, Tasks, list[str]]:
    """Select an official split's samples, with their side in `split`, and its one task.

    If there are files of agreed labels and `labels` is `agreed`, they are the split, and their
    labels count; so do those of the damage files. Otherwise labels stay as they are. Samples are
    matched by image path, since one tweet has two different image ids. The notes say how many
    samples are left out, and how the counts differ from those published. Raises ValueError if a
    side has no sample.
    """
    chosen = [task for task in tasks if split == f"official_{task['name']}"]
    task, others = chosen[0], [t["name"] for t in tasks if t not in chosen]
    name = task["name"]
    agreed = labels == "agreed" and _has_agreed(raw / "splits", name)
    rows = read_split(raw, name, agreed)
    members = samples.drop(columns=others).assign(split=samples["image"].map(rows["split"]))
    members = members[members["split"].notna()].reset_index(drop=True)
    for side in SIDES:
        if not (members["split"] == side).any():
            raise ValueError(
                f"{raw}: no image of the official {side} split of {name} is annotated; take a "
                "source with all events, or split: grouped"
            )
    left_out, missing = len(samples) - len(members), len(rows) - len(members)
    notes = [
        f"{split}: {left_out:,} samples outside of it left out, "
        f"{missing:,} of its images not annotated here"
    ]
    if agreed or name == "damage":
        own = codes(members["image"].map(rows["label"]), task["classes"])
        members[name] = own
        notes += [_relabelled(split, samples, members, name), _count_note(split, members, task)]
    else:
        notes.append(_all_note(split, labels))
    return members, chosen, [note for note in notes if note]


def _all_note(split: str, labels: Labels) -> str:
    """Say why this is not the split of published numbers; its own counts were not published."""
    why = f"data.crisismmd.labels is {labels}"
    if labels == "agreed":
        why = f"no {AGREED}.zip here, so labels are masked where text and image disagree"
    return f"{split}: {why}: this is the split of all samples, not that of published numbers"


def _relabelled(split: str, samples: pd.DataFrame, members: pd.DataFrame, task: str) -> str:
    """Count the members whose label is not the annotated one of `samples`."""
    annotated = members["id"].map(samples.set_index("id")[task]).fillna(-1)
    changed = int((annotated != members[task].fillna(-1)).sum())
    if not changed:
        return ""
    return f"{split}: {changed:,} samples have another label in its files, which counts"


def _count_note(split: str, members: pd.DataFrame, task: dict[str, Any]) -> str:
    """Compare the counts of labelled samples, by side and class, with those published."""
    published, labels = PUBLISHED[task["name"]], members[task["name"]]
    here = {"samples": labels.notna()}
    here |= {name: labels == code for code, name in enumerate(task["classes"])}
    lines = []
    for name, expected in published.items():
        counts = members.loc[here[name].fillna(False), "split"].value_counts()
        found = [int(counts.get(side, 0)) for side in SIDES]
        if found != list(expected):
            lines.append(f"{_by_side(found)} {name} where {_by_side(expected)} were published")
    if not lines:
        return f"{split}: {_by_side(published['samples'])} samples, as published"
    return f"{split}: warning: {'; '.join(lines)}"


def _by_side(counts: Sequence[int]) -> str:
    return " / ".join(f"{count:,}" for count in counts)


def leak_note(table: pd.DataFrame) -> str:
    """Count the test samples that share a tweet, photo or near-duplicate text with training."""
    test = (table["split"] == "test").sum()
    shared = table["leaks"].sum()
    return f"{shared:,} of {test:,} test samples share a tweet, photo or text with training"


def copy_splits(source: Path, folder: Path) -> None:
    """Copy the split files of `source`, unpacked or zipped, into the new `folder`.

    Without split files no folder is made. Raises ValueError for a file that cannot be read, and for
    two different files of one name.
    """
    for name, content in _split_files(source):
        folder.mkdir(exist_ok=True)
        copy = folder / name
        if copy.exists() and copy.read_bytes() != content:
            raise ValueError(f"{source}: {name} appears twice; delete one")
        copy.write_bytes(content)


def read_split(raw: Path, task: str, agreed: bool = False) -> pd.DataFrame:
    """Read a task's official split: by image path, its side as `split`, and the file's `label`.

    `agreed` is the split of the samples on which text and image agree. A path on two sides counts
    for the later one. Labels are checked where they count (see `official_samples`), and null where
    the files have none. Raises ValueError naming the file that is missing, or file and row of what
    does not fit.
    """
    sides = []
    for side, word in SIDES.items():
        rows = _rows(_file(raw / "splits", task, word, agreed), task, agreed or task == "damage")
        sides.append(rows.assign(split=side))
    rows = pd.concat(sides, ignore_index=True)
    return rows.drop_duplicates("image", keep="last").set_index("image")


def _split_files(source: Path) -> Iterator[tuple[str, bytes]]:
    for home in HOMES:
        packed = source / f"{home}.zip"
        if (source / home).is_dir():
            for path in sorted((source / home).rglob("task_*.tsv")):
                if _fits(path.name) and not path.is_dir():
                    yield path.name, require_file(path, source).read_bytes()
        elif home in (ALL, AGREED) and packed.is_file():
            yield from read_members(require_file(packed, source), _fits, limit=LARGEST)


def _fits(name: str) -> bool:
    return _NAME.fullmatch(name) is not None


def _has_agreed(folder: Path, task: str) -> bool:
    """Whether there is a file of agreed labels; reading them names those that are missing."""
    return any(folder.glob(f"task_{task}_text_img_agreed_lab_*.tsv"))


def _file(folder: Path, task: str, word: str, agreed: bool) -> Path:
    names = [f"task_{task}_text_img_{word}.tsv", f"task_{task}_{word}.tsv"]
    if agreed:
        names = [f"task_{task}_text_img_agreed_lab_{word}.tsv"]
    for name in names:
        if (folder / name).is_file():
            return folder / name
    raise ValueError(
        f"data.crisismmd.split is official_{task}, but the source holds no {names[0]}; take one "
        f"with {AGREED if agreed else ALL}.zip, or split: grouped"
    )


def _rows(file: Path, task: str, labelled: bool) -> pd.DataFrame:
    table = read_table(file, quoting=False)
    # Of the two layouts in use, one writes Image, the other image.
    table.columns = table.columns.str.lower()
    for column in ("image", *(["label"] if labelled else [])):
        if column not in table.columns:
            raise ValueError(
                f"{file}: column {column} is missing; the header is {list(table.columns)}"
            )
    if labelled:
        allowed = CLASSES[task]
        refuse(file, table["label"], ~table["label"].isin(allowed), ", ".join(allowed))
    return table.reindex(columns=["image", "label"])
