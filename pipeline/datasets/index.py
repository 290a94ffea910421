"""The index table of a data set: one row per sample, with its group and its split."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd

from pipeline.datasets import crisismmd, posts, youtube
from pipeline.datasets.duplicates import cluster, near_duplicates, normalise
from pipeline.datasets.official import Split, leak_note, official_samples
from pipeline.datasets.raw_files import with_reasons
from pipeline.datasets.split import check_no_leak, event_split, grouped_split, in_training
from pipeline.ground.data_set import SEPARATOR
from pipeline.ground.failures import Failure
from pipeline.inputs.fetch import sha256_of
from pipeline.inputs.tables import is_missing

FILES = ("image", "video", "audio")
# A key's value is reported if more than this share and this number of samples have it.
COMMON, FEWEST = 0.1, 10
TEXTS = ("id", "group", "event", "split", "text", *FILES)
COLUMNS = (*TEXTS, "start", "end", "leaks")


@dataclass(frozen=True)
class Index:
    """An index table, its tasks, and the failures of modalities that are absent from the start.

    `notes` warn the user of leaks and of keys that many samples share; `counts` says how many
    samples have a label, and how many share a key with another.
    """

    table: pd.DataFrame
    tasks: list[dict[str, Any]]
    failures: list[Failure]
    notes: list[str]
    counts: str


def index_crisismmd(
    raw: Path,
    labels: crisismmd.Labels,
    layout: crisismmd.Layout = "grouped",
    split: Split = "grouped",
    test_event: str | None = None,
) -> Index:
    """Index tweets with photos; a group is a tweet with all its near-duplicates.

    The split is the same in both layouts. An official split has only its own task and samples;
    `notes` say how much it leaks. With the split `event`, `test_event` is the test side. Raises
    ValueError listing the events for an unknown one.
    """
    samples = crisismmd.read_samples(raw, labels)
    tasks, notes = crisismmd.TASKS, list[str]()
    if split == "event":
        _check_event(samples["event"], test_event)
    elif split != "grouped":
        samples, tasks, notes = official_samples(raw, samples, tasks, split, labels)
    missing = drop_missing_files(samples, raw, ("image",))
    failures = with_reasons(raw, missing) + drop_empty_texts(samples)
    keys = {
        "tweet id": samples["tweet"],
        "image id": samples["image_id"],
        "image bytes": _digests(raw, samples["image"]),
        "normalised text": _normalised(samples["text"]),
    }
    index = _index(samples, tasks, keys, failures, test_event)
    if split.startswith("official_"):
        index.notes.extend([*notes, leak_note(index.table)])
    if layout == "grouped":
        return index
    table, tasks = crisismmd.one_task_a_class(index.table, index.tasks)
    return replace(index, table=table, tasks=tasks)


def index_youtube(raw: Path) -> Index:
    """Index clips; a group is a source video with all clips of the same text or file."""
    samples, tasks = youtube.read_samples(raw)
    missing = drop_missing_files(samples, raw, ("video", "audio"))
    failures = with_reasons(raw, missing) + drop_empty_texts(samples)
    keys = {
        "origin": samples["origin"].str.normalize("NFC").str.strip(),
        "file bytes": _digests(raw, samples["video"]),
        "normalised text": _normalised(samples["text"]),
    }
    return _index(samples, tasks, keys, failures)


def index_posts(raw: Path) -> Index:
    """Index the user's own posts; a group is one of the manifest with all its near-duplicates.

    A post without a photo or without a text is no failure. Of several photos, those that exist
    remain.
    """
    samples, tasks = posts.read_labelled_posts(raw / posts.MANIFEST)
    given = samples.pop("group").str.strip()
    samples["audio"] = samples["video"]
    nothing = samples[list(posts.CONTENT)].isna().all(axis=1)
    failures = with_reasons(raw, drop_missing_files(samples, raw, FILES)) + [
        Failure(name, "text", "empty_text", "neither text nor photo nor video")
        for name in samples.loc[nothing, "id"]
    ]
    keys = {
        "group": given,
        "photo bytes": _shared_photos(raw, samples["image"]),
        "file bytes": _digests(raw, samples["video"]),
        "normalised text": _normalised(samples["text"]),
    }
    return _index(samples, tasks, keys, failures)


def _index(
    samples: pd.DataFrame,
    tasks: list[dict[str, Any]],
    keys: dict[str, pd.Series],
    failures: list[Failure],
    test_event: str | None = None,
) -> Index:
    names = [task["name"] for task in tasks]
    notes = _common_keys(keys)
    clusters = cluster(keys.values(), near_duplicates(samples["text"].fillna("").tolist()))
    # A group has the name of its first member, so that it does not depend on the numbering.
    samples["group"] = samples["id"].groupby(clusters).transform("min")
    # The leak of an official split is counted, not refused.
    if "split" not in samples:
        try:
            samples["split"] = _split(samples, names, test_event)
        except ValueError as error:
            raise ValueError("; ".join([str(error), *notes])) from None
        if test_event:
            samples, failures, note = _without_touched(samples, failures, test_event)
            notes.append(note)
        check_no_leak(samples, {name: key[samples.index] for name, key in keys.items()})
    samples["leaks"] = in_training(samples)
    table = samples.reindex(columns=[*COLUMNS, *names]).sort_values("id", ignore_index=True)
    return Index(_typed(table), tasks, failures, notes, _counts(samples, names, keys))


def _split(samples: pd.DataFrame, tasks: list[str], test_event: str | None) -> pd.Series:
    if test_event:
        return event_split(samples["event"], samples["group"], samples[tasks], test_event)
    return grouped_split(samples["group"], samples[tasks])


def _without_touched(
    samples: pd.DataFrame, failures: list[Failure], event: str
) -> tuple[pd.DataFrame, list[Failure], str]:
    """Leave out the samples on no side of the split, and their failures; the note counts them."""
    rest = samples[samples["split"].notna()].copy()
    note = (
        f"tests on {event}; {len(samples) - len(rest):,} samples of other events share a tweet, "
        "photo or text with it and are left out"
    )
    ids = set(rest["id"])
    return rest, [failure for failure in failures if failure.id in ids], note


def _check_event(events: pd.Series, event: str | None) -> None:
    counts = events.value_counts().sort_index()
    if event not in counts:
        known = ", ".join(f"{name} ({count:,} samples)" for name, count in counts.items())
        raise ValueError(f"data.crisismmd.test_event is {event!r}; the source has {known}")


def _counts(samples: pd.DataFrame, tasks: list[str], keys: dict[str, pd.Series]) -> str:
    labelled = ", ".join(f"{samples[task].notna().sum():,} {task}" for task in tasks)
    shared = []
    for name, values in keys.items():
        key = values[samples.index].dropna()
        note = f"{key.duplicated(keep=False).sum():,} {name}"
        if "event" in samples:
            several = (samples["event"].groupby(key).nunique() > 1).sum()
            note += f" ({several:,} of them in several events)" if several else ""
        shared.append(note)
    return f"labelled: {labelled}; samples that share a key: {', '.join(shared)}"


def _common_keys(keys: dict[str, pd.Series]) -> list[str]:
    """Name the values that more than a tenth of the samples share: a placeholder, or an error."""
    notes = []
    for name, values in keys.items():
        counts = values.value_counts().sort_index()
        if counts.max() > max(FEWEST, COMMON * len(values)):
            value = f"{name} {str(counts.idxmax())[:50]!r}"
            notes.append(f"{counts.max():,} of {len(values):,} samples share the {value}")
    return notes


def drop_missing_files(samples: pd.DataFrame, raw: Path, columns: tuple[str, ...]) -> list[Failure]:
    """Replace the paths of files that do not exist below `raw` by null; returns the failures."""
    failures = []
    for column in columns:
        # A sample may have several photos.
        named = samples[column].str.split(SEPARATOR if column == "image" else "\0")
        there = named.map(lambda paths: [p for p in paths if os.path.isfile(raw / p)], "ignore")
        missing = there.map(len, "ignore") < named.map(len, "ignore")
        modality = "audio" if column == "audio" else "visual"
        failures += [
            Failure(name, modality, "missing_file", "named by the raw data, but not there")
            for name in samples.loc[missing, "id"]
        ]
        rest = there.str.join(SEPARATOR).replace("", None)
        samples[column] = samples[column].where(~missing, rest)
    return failures


def drop_empty_texts(samples: pd.DataFrame) -> list[Failure]:
    """Replace texts that say nothing by null; returns the failures."""
    empty = is_missing(samples["text"])
    samples["text"] = samples["text"].where(~empty, None)
    return [
        Failure(name, "text", "empty_text", "nothing is said") for name in samples.loc[empty, "id"]
    ]


def _normalised(texts: pd.Series) -> pd.Series:
    # Empty texts must not form one group.
    return texts.map(normalise, na_action="ignore").replace("", None)


def _digests(raw: Path, paths: pd.Series) -> pd.Series:
    def digest(path: str) -> str | None:
        # Empty files are not the same photo.
        return sha256_of(raw / path) if (raw / path).stat().st_size else None

    return paths.map(digest, na_action="ignore")


def _shared_photos(raw: Path, images: pd.Series) -> pd.Series:
    """Return one digest per sample: the same for all that share a photo, directly or not."""
    digests = _digests(raw, images.str.split(SEPARATOR).explode()).dropna()
    if digests.empty:
        return pd.Series(None, index=images.index, dtype=object)
    clusters = cluster([digests.index, digests])
    common = digests.groupby(clusters).transform("min")
    return common[~common.index.duplicated()].reindex(images.index)


def _typed(table: pd.DataFrame) -> pd.DataFrame:
    return table.astype({**dict.fromkeys(TEXTS, "string"), "start": "Float64", "end": "Float64"})
