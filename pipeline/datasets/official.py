"""The official single-task protocols, for comparison with the literature."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import pandas as pd

from pipeline.datasets.split_files import read_split

Split = Literal["grouped", "official_informative", "official_humanitarian", "official_damage"]
Tasks = list[dict[str, Any]]


def official_samples(
    raw: Path, samples: pd.DataFrame, tasks: Tasks, split: Split
) -> tuple[pd.DataFrame, Tasks, str]:
    """Keep an official split's samples, with their side in `split`, and its one task.

    Samples are found by image path, since one tweet bears two different image ids. The last of
    what is returned tells what was left out. Raises ValueError where a side has no sample.
    """
    chosen = [task for task in tasks if split == f"official_{task['name']}"]
    name, others = chosen[0]["name"], [t["name"] for t in tasks if t not in chosen]
    sides = read_split(raw, name)
    kept = samples.drop(columns=others).assign(split=samples["image"].map(sides))
    kept = kept[kept["split"].notna()].reset_index(drop=True)
    for side in ("train", "val", "test"):
        if not (kept["split"] == side).any():
            raise ValueError(
                f"{raw}: no image of the official {side} split of {name} is annotated; take a "
                "source with all events, or split: grouped"
            )
    left_out, missing = len(samples) - len(kept), len(sides) - len(kept)
    told = (
        f"{split}: {left_out:,} samples outside of it left out, "
        f"{missing:,} of its images not annotated here"
    )
    return kept, chosen, told


def leak_note(table: pd.DataFrame) -> str:
    """Tell how much of a test side was seen in training: by tweet, photo or near-duplicate."""
    test = table.loc[table["split"] == "test", "group"]
    seen = test.isin(table.loc[table["split"] == "train", "group"]).sum()
    return f"{seen:,} of {len(test):,} test samples share a tweet, photo or text with training"
