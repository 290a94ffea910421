from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from pipeline.features.entry import Entry
from pipeline.features.extract import item_key
from pipeline.features.recipe import FILE, Item, file_digest, identity, one_by_one
from pipeline.media.errors import MediaError


def extracted(extract: Callable[[Item], Entry], item: Item) -> Entry:
    (entry,) = one_by_one(extract)([item])
    return entry


def write(path: Path, contents: str) -> Path:
    path.write_text(contents)
    return path


def test_an_items_digest_is_of_its_input_not_of_its_name(tmp_path: Path) -> None:
    one = Item("one", path=write(tmp_path / "one.jpg", "same"))
    two = Item("two", path=write(tmp_path / "two.png", "same"))
    assert one.digest() == two.digest()
    assert Item("a", text="flood").digest() == Item("b", text="flood").digest()


def test_what_is_read_changes_the_digest(tmp_path: Path) -> None:
    path = write(tmp_path / "a.mp4", "bytes")
    other = write(tmp_path / "b.mp4", "other")
    items = [
        Item("a", path=path),
        Item("a", path=other),
        Item("a", path=path, start=0.0),
        Item("a", path=path, end=1.0),
        Item("a", path=path, start=1.0),
        Item("a", path=path, start=0.0, end=1.0),
        Item("a", text="bytes"),
        Item("a", text=""),
    ]
    assert len({item.digest() for item in items}) == len(items)


def test_everything_that_changes_the_bytes_changes_the_key() -> None:
    item, other = Item("a", text="x"), Item("a", text="y")
    keys = [
        item_key("text", {"version": "1", "layer": "top"}, item),
        item_key("text", {"version": "1", "layer": "top"}, other),
        item_key("text", {"version": "2", "layer": "top"}, item),
        item_key("text", {"version": "1", "layer": "average"}, item),
        item_key("visual", {"version": "1", "layer": "top"}, item),
    ]
    assert len(set(keys)) == len(keys)
    assert item_key("text", {"layer": "top", "version": "1"}, Item("b", text="x")) == keys[0]


def test_an_identity_names_version_weights_and_parameters(tmp_path: Path) -> None:
    weights = write(tmp_path / "weights", "w")
    assert identity("3", weights, layer="top", size=224) == {
        "version": "3",
        "weights": hashlib.sha256(b"w").hexdigest(),
        "layer": "top",
        "size": 224,
    }
    assert file_digest(weights) == hashlib.sha256(b"w").hexdigest()


def test_a_text_has_no_file() -> None:
    with pytest.raises(ValueError, match="item a has no file"):
        _ = Item("a", text="x").file


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_features_that_are_not_finite_are_a_fault(bad: float) -> None:
    entry = extracted(lambda item: Entry(np.array([[0, bad]])), Item("a", path=Path("a.jpg")))
    assert entry == Entry(None, ("not_finite", f"{FILE}: features are not finite"))


def test_features_beyond_float32_are_a_fault() -> None:
    with np.errstate(over="ignore"):
        entry = extracted(lambda item: Entry(np.array([[1e39]])), Item("a", text="x"))
    assert entry.array is None


def test_a_fault_without_features_stays_what_it_is() -> None:
    fault = ("empty_text", "nothing")
    assert extracted(lambda item: Entry(None, fault), Item("a")) == Entry(None, fault)


def test_features_with_a_fault_keep_both() -> None:
    made = np.arange(6.0).reshape(3, 2).T  # float64, not contiguous
    entry = extracted(lambda item: Entry(made, ("truncated", "cut")), Item("a"))
    assert entry.array is not None
    assert entry.array.dtype == np.float32
    assert entry.array.flags["C_CONTIGUOUS"]
    assert np.array_equal(entry.array, made)
    assert entry.fault == ("truncated", "cut")


def test_a_media_error_is_kept_without_the_items_path() -> None:
    def extract(item: Item) -> Entry:
        raise MediaError("truncated", f"{item.path}: cut; see {item.path}")

    entry = extracted(extract, Item("a", path=Path("some/where.jpg")))
    assert entry == Entry(None, ("truncated", f"{FILE}: cut; see {FILE}"))


@pytest.mark.parametrize("error", [KeyError("bug"), ValueError("wrong"), MemoryError()])
def test_any_other_error_is_raised(error: Exception) -> None:
    def extract(item: Item) -> Entry:
        raise error

    with pytest.raises(type(error)):
        extracted(extract, Item("a"))
