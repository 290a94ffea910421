from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.sample.events import EVENTS, day_of, new_tweet_id
from tools.sample.proportions import (
    HUMANITARIAN,
    TEXT_BY_IMAGE,
    confidence,
    label_pairs,
    quota,
)


@given(st.lists(st.floats(0.01, 100), min_size=1, max_size=20), st.integers(0, 500))
def test_quota_is_whole_and_within_one_of_proportional(shares: list[float], total: int) -> None:
    counts = quota(shares, total)
    assert counts.sum() == total
    assert np.all(np.abs(counts - np.array(shares) / np.sum(shares) * total) < 1 + 1e-6)


def test_every_raw_class_occurs_on_texts_and_on_images() -> None:
    for rows in (45, 452):
        texts, images = zip(*label_pairs(rows), strict=True)
        assert set(texts) == set(images) == set(HUMANITARIAN)


@pytest.mark.parametrize("kind", ["text", "image", "damage"])
def test_confidences_are_those_of_the_files(kind: str) -> None:
    rng = np.random.default_rng(0)
    drawn = np.array([float(confidence(kind, rng)) for _ in range(2000)])
    assert drawn.min() >= 0.258
    assert drawn.max() == 1.0
    assert {"text": 0.800, "image": 0.864, "damage": 0.790}[kind] == pytest.approx(
        drawn.mean(), abs=0.02
    )


def test_a_tweet_id_tells_a_day_of_its_event() -> None:
    rng = np.random.default_rng(1)
    for event in EVENTS:
        days = [(day_of(new_tweet_id(event, rng)) - event.first).days for _ in range(50)]
        assert 0 <= min(days) <= max(days) < event.days


def test_a_real_tweet_id_tells_its_real_day() -> None:
    day = day_of(917791044158185473)  # filed under 10_10_2017 in the real set
    assert (day.day, day.month, day.year) == (10, 10, 2017)


def test_the_table_is_what_the_real_files_say(shared_data: Path) -> None:
    tables = [
        pd.read_csv(file, sep="\t", quoting=csv.QUOTE_NONE, dtype=str, keep_default_na=False)
        for file in sorted((shared_data / "crisismmd" / "annotations").glob("*_final_data.tsv"))
    ]
    table = pd.concat(tables)
    counted = Counter(zip(table["text_human"], table["image_human"], strict=True))
    for i, text in enumerate(HUMANITARIAN):
        for j, image in enumerate(HUMANITARIAN):
            assert counted[text, image] == TEXT_BY_IMAGE[i, j]
