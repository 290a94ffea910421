"""Items that fail: listed, counted, absent, and tried again only on request."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from pipeline.features.cache import ItemCache
from pipeline.features.extract import extract_features
from pipeline.features.recipe import Item
from pipeline.inputs.feature_file import FeatureFile

Fake = Callable[..., Any]
Extracted = Callable[[], list[str]]


def texts(contents: Mapping[str, str]) -> list[Item]:
    return [Item(name, text=text) for name, text in contents.items()]


def lengths(path: Path) -> dict[str, int]:
    file = FeatureFile(path)
    return {name: len(array) for name, array in zip(file.ids, file.rows(), strict=True)}


def test_only_failures_of_the_kinds_named_are_tried_again(
    fake: Fake, cache: ItemCache, out: Path, extracted: Extracted
) -> None:
    items = texts({"a": "good", "b": "unreadable", "c": "cut", "d": "nan"})
    first = extract_features(fake(), items, [], out, cache, workers=1)
    assert [failure.kind for failure in first] == ["decode_failed", "truncated", "not_finite"]
    extracted()
    still = extract_features(fake(), items, [], out, cache, 1, retry=["decode_failed"])
    assert extracted() == ["b"]
    assert still == first
    kinds = ["decode_failed", "truncated"]
    left = extract_features(fake(mended=True), items, [], out, cache, 1, retry=kinds)
    assert extracted() == ["b", "c"]
    assert left == first[1:]
    assert lengths(out) == {"a": 4, "b": 10, "c": 3, "d": 0}
    extract_features(fake(), items, [], out, cache, workers=1)
    assert extracted() == []


def test_failures_are_listed_and_their_samples_absent_or_not(
    fake: Fake, cache: ItemCache, out: Path
) -> None:
    contents = {"a": "good", "b": "unreadable", "c": "cut", "d": "nan", "e": "inf", "f": "mute"}
    failures = extract_features(fake(), texts(contents), ["g"], out, cache, workers=1)
    assert {(f.id, f.modality, f.kind) for f in failures} == {
        ("b", "text", "decode_failed"),
        ("c", "text", "truncated"),
        ("d", "text", "not_finite"),
        ("e", "text", "not_finite"),
        ("f", "text", "empty_text"),
    }
    # Cut off, but what there is of it is used.
    assert lengths(out) == {"a": 4, "b": 0, "c": 3, "d": 0, "e": 0, "f": 0, "g": 0}
    assert FeatureFile(out).present.tolist() == [True, False, True, *[False] * 4]


@pytest.mark.parametrize("contents", ["unreadable", "cut", "nan"])
def test_a_message_names_the_samples_own_file(
    fake: Fake, cache: ItemCache, out: Path, tmp_path: Path, contents: str
) -> None:
    items = [Item("good", text="good")]
    for name in ("first.jpg", "second.jpg"):
        (tmp_path / name).write_text(contents)
        items.append(Item(name, path=tmp_path / name))
    failures = extract_features(fake(), items, [], out, cache, workers=1)
    assert len(failures) == 2
    for failure in failures:
        other = "second.jpg" if failure.id == "first.jpg" else "first.jpg"
        assert str(tmp_path / failure.id) in failure.message
        assert other not in failure.message
        assert "{file}" not in failure.message


def test_when_every_item_fails_the_modality_is_absent(
    fake: Fake, cache: ItemCache, out: Path
) -> None:
    items = texts({"a": "mute", "b": "nan"})
    failures = extract_features(fake(), items, ["c"], out, cache, workers=1)
    assert [failure.id for failure in failures] == ["a", "b"]
    assert lengths(out) == {"a": 0, "b": 0, "c": 0}


def test_samples_without_a_source_are_no_failure(fake: Fake, cache: ItemCache, out: Path) -> None:
    assert extract_features(fake(), [], ["a", "b"], out, cache, workers=1) == []
    assert lengths(out) == {"a": 0, "b": 0}
