from __future__ import annotations

import operator
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fsspec.implementations.memory import MemoryFileSystem

from pipeline.features import extract as module
from pipeline.features.cache import ItemCache
from pipeline.features.extract import extract_features
from pipeline.features.recipe import Item
from pipeline.features.remote_cache import AT_ONCE, RemoteCache
from pipeline.ground.failures import Failure
from pipeline.inputs.feature_file import FeatureFile

Fake = Callable[..., Any]
Extracted = Callable[[], list[str]]


@pytest.fixture
def cache(tmp_path: Path) -> ItemCache:
    return ItemCache(tmp_path / "cache")


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "features" / "text.h5"


def texts(contents: Mapping[str, str]) -> list[Item]:
    return [Item(name, text=text) for name, text in contents.items()]


def lengths(path: Path) -> dict[str, int]:
    file = FeatureFile(path)
    return {name: len(array) for name, array in zip(file.ids, file.read(), strict=True)}


def test_progress_is_told_while_inputs_are_hashed_and_while_the_network_runs(
    fake: Fake, cache: ItemCache, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: dict[str, list[int]] = {}

    @contextmanager
    def note(description: str, total: int) -> Iterator[Callable[[], None]]:
        steps = told[description] = [total, 0]
        yield lambda: operator.setitem(steps, 1, steps[1] + 1)

    monkeypatch.setattr(module, "progress", note)
    items = texts({"a": "same", "b": "same", "c": "other"})
    extract_features(fake(), items, ["d"], out, cache, workers=1)
    assert told == {"text: inputs": [3, 3], "text": [2, 2]}


def test_all_samples_are_in_the_file(fake: Fake, cache: ItemCache, out: Path) -> None:
    items = texts({"c": "abc", "a": "a"})
    assert extract_features(fake(scale=3), items, ["d", "b"], out, cache, workers=1) == []
    file = FeatureFile(out)
    assert file.ids == ["a", "b", "c", "d"]
    assert file.present.tolist() == [True, False, True, False]
    assert np.array_equal(file.read()[2], np.full((3, 2), 9, np.float32))
    assert file.attributes == {
        **{"modality": "text", "version": "1", "weights": "00ff", "scale": 3},
        "format": 1,
    }


def test_equal_inputs_are_computed_once(
    fake: Fake, cache: ItemCache, out: Path, extracted: Extracted
) -> None:
    items = texts({"a": "same", "b": "same", "c": "other", "d": "same"})
    extract_features(fake(), items, [], out, cache, workers=1)
    assert len(extracted()) == 2
    assert lengths(out) == {"a": 4, "b": 4, "c": 5, "d": 4}


def test_a_second_run_computes_nothing_and_writes_the_same(
    fake: Fake, cache: ItemCache, out: Path, extracted: Extracted
) -> None:
    items = texts({"a": "flood", "b": "unreadable", "c": "cut"})
    first = extract_features(fake(), items, [], out, cache, workers=1)
    written = out.read_bytes()
    assert extracted() == ["a", "b", "c"]
    again = ItemCache(cache.folder)
    assert extract_features(fake(), items[::-1], [], out, again, workers=1) == first[::-1]
    assert extracted() == []
    assert out.read_bytes() == written


def test_an_item_added_to_a_thousand_is_computed_alone_and_the_file_is_a_cold_runs(
    fake: Fake, cache: ItemCache, out: Path, extracted: Extracted
) -> None:
    contents = {f"{k:04}": f"flood {'x' * (k % 7)} {k}" for k in range(1000)}
    extract_features(fake(), texts(contents), ["absent"], out, cache, workers=1)
    assert len(extracted()) == 1000
    # Its id stands in the middle, so that every offset behind it moves.
    contents["0500a"] = "fire"
    extract_features(fake(), texts(contents), ["absent"], out, cache, workers=1)
    assert extracted() == ["0500a"]
    cold = out.with_name("cold.h5")
    empty = ItemCache(out.with_name("another cache"))
    extract_features(fake(), texts(contents), ["absent"], cold, empty, workers=1)
    assert out.read_bytes() == cold.read_bytes()


@pytest.mark.parametrize(
    "change", [{"scale": 2}, {"weights": "beef"}, {"version": "2"}], ids=lambda c: next(iter(c))
)
def test_another_parameter_weight_or_version_computes_anew_and_the_old_stays(
    fake: Fake, cache: ItemCache, out: Path, extracted: Extracted, change: dict[str, Any]
) -> None:
    items = texts({"a": "flood"})
    for options, computed in [({}, ["a"]), (change, ["a"]), ({}, []), (change, [])]:
        extract_features(fake(**options), items, [], out, cache, workers=1)
        assert extracted() == computed
        assert FeatureFile(out).read()[0][0, 0] == 5 * options.get("scale", 1)


def test_anything_else_that_changes_computes_nothing(
    fake: Fake, cache: ItemCache, out: Path, extracted: Extracted, tmp_path: Path
) -> None:
    (tmp_path / "a.txt").write_text("flood")
    items = [Item("a", path=tmp_path / "a.txt"), Item("b", text="fire")]
    extract_features(fake(), items, [], out, cache, workers=1)
    assert extracted() == ["a", "b"]
    # Other ids, order, company, file name and time, number of workers, place of the result.
    (tmp_path / "a.txt").rename(tmp_path / "other.txt")
    os.utime(tmp_path / "other.txt", (0, 0))
    items = [Item("z", text="fire"), Item("y", path=tmp_path / "other.txt")]
    extract_features(fake(), items, ["x"], tmp_path / "new.h5", cache, workers=2)
    assert extracted() == []
    assert lengths(tmp_path / "new.h5") == {"x": 0, "y": 5, "z": 4}


def test_only_faults_of_the_kinds_named_are_tried_again(
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
    left = extract_features(fake(sound=True), items, [], out, cache, 1, retry=kinds)
    assert extracted() == ["b", "c"]
    assert left == first[1:]
    assert lengths(out) == {"a": 4, "b": 10, "c": 3, "d": 0}
    extract_features(fake(), items, [], out, cache, workers=1)
    assert extracted() == []


def test_a_file_that_several_items_share_is_hashed_once(
    fake: Fake, cache: ItemCache, out: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hashed: list[Path] = []
    monkeypatch.setattr(module, "file_digest", lambda path: hashed.append(path) or str(path))
    for name in ("one", "two"):
        (tmp_path / name).write_text(name)
    items = [
        Item(f"{name} {k}", path=tmp_path / name, start=float(k))
        for name in ("one", "two")
        for k in range(5)
    ]
    extract_features(fake(), items, [], out, cache, workers=1)
    assert sorted(hashed) == [tmp_path / "one", tmp_path / "two"]


def test_a_damaged_entry_is_made_again_and_counted(
    fake: Fake, cache: ItemCache, out: Path, extracted: Extracted
) -> None:
    items = texts({"a": "flood", "b": "fire"})
    extract_features(fake(), items, [], out, cache, workers=1)
    written = out.read_bytes()
    extracted()
    entry = next(path for path in sorted(cache.folder.rglob("*")) if path.is_file())
    entry.write_bytes(entry.read_bytes()[:-1] + b"?")
    extract_features(fake(), items, [], out, cache, workers=1)
    assert len(extracted()) == 1
    assert cache.damaged == 1
    assert out.read_bytes() == written


def test_faults_are_listed_and_their_samples_absent_or_not(
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


def test_when_every_item_fails_the_old_file_stays(fake: Fake, cache: ItemCache, out: Path) -> None:
    extract_features(fake(), texts({"a": "good"}), [], out, cache, workers=1)
    old = out.read_bytes()
    items = texts({"a": "mute", "b": "nan"})
    with pytest.raises(ValueError, match=r"^text: every item failed; the first: .*says nothing$"):
        extract_features(fake(), items, ["c"], out, cache, workers=1)
    assert out.read_bytes() == old


def test_samples_without_a_source_are_no_failure(fake: Fake, cache: ItemCache, out: Path) -> None:
    assert extract_features(fake(), [], ["a", "b"], out, cache, workers=1) == []
    assert lengths(out) == {"a": 0, "b": 0}


def test_an_error_of_the_code_is_raised_and_what_was_done_is_kept(
    fake: Fake, cache: ItemCache, out: Path, extracted: Extracted
) -> None:
    items = texts({"a": "good", "b": "bug"})
    with pytest.raises(KeyError, match="a fault of the code"):
        extract_features(fake(), items, [], out, cache, workers=1)
    assert not out.exists()
    assert extracted() == ["a", "b"]
    extract_features(fake(), items[:1], [], out, cache, workers=1)
    assert extracted() == []


def test_failures_are_told_of_each_sample_that_shares_the_fault(
    fake: Fake, cache: ItemCache, out: Path
) -> None:
    items = texts({"a": "good", "b": "nan", "c": "nan"})
    failures = extract_features(fake(), items, [], out, cache, workers=1)
    assert [failure.id for failure in failures] == ["b", "c"]
    assert all(isinstance(failure, Failure) for failure in failures)


def test_a_cache_elsewhere_is_asked_for_many_entries_at_once(
    fake: Fake, out: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, ranges = list[int](), MemoryFileSystem.cat_ranges

    def count(store: Any, paths: list[str], *arguments: Any, **options: Any) -> Any:
        asked.append(len(paths))
        return ranges(store, paths, *arguments, **options)

    def alone(*arguments: Any) -> None:
        raise AssertionError("asked for one by one")

    monkeypatch.setattr(MemoryFileSystem, "cat_ranges", count)
    monkeypatch.setattr(RemoteCache, "get", alone)
    items = texts({f"{k:03}": f"text {k}" for k in range(100)})
    cache = RemoteCache(f"memory://{tmp_path.name}")
    extract_features(fake(), items, ["absent"], out, cache, workers=1)
    # Is it there; is what was made there; pack it.
    assert asked == 3 * [AT_ONCE, 100 - AT_ONCE]
    asked.clear()
    written = out.read_bytes()
    extract_features(fake(), items[::-1], ["absent"], out, cache, workers=1)
    assert asked == 2 * [AT_ONCE, 100 - AT_ONCE]
    assert out.read_bytes() == written
    folder = out.with_name("of a folder.h5")
    extract_features(fake(), items, ["absent"], folder, ItemCache(tmp_path / "cache"), workers=1)
    assert folder.read_bytes() == written
    MemoryFileSystem.store.clear()
