from __future__ import annotations

import pickle
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.features.entry import Entry
from pipeline.features.recipe import FILE, Item, Read
from pipeline.features.steps import compute, in_turn, read
from pipeline.media.errors import MediaError


def same(inputs: Sequence[Any]) -> list[np.ndarray]:
    return list(inputs)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_features_that_are_not_finite_are_a_fault(bad: float) -> None:
    (entry,) = compute(same, [Read(np.array([[0, bad]]), ("truncated", "cut"))])
    assert entry == Entry(None, ("not_finite", f"{FILE}: features are not finite"))


def test_features_beyond_float32_are_a_fault() -> None:
    with np.errstate(over="ignore"):
        (entry,) = compute(same, [Read(np.array([[1e39]]))])
    assert entry.array is None


def test_features_with_a_fault_keep_both() -> None:
    made = np.arange(6.0).reshape(3, 2).T  # float64, not contiguous
    (entry,) = compute(same, [Read(made, ("truncated", "cut"))])
    assert entry.array is not None
    assert entry.array.dtype == np.float32
    assert entry.array.flags["C_CONTIGUOUS"]
    assert np.array_equal(entry.array, made)
    assert entry.fault == ("truncated", "cut")


def test_the_network_sees_only_what_was_read_and_each_keeps_its_place() -> None:
    seen: list[Sequence[Any]] = []

    def network(inputs: Sequence[Any]) -> list[np.ndarray]:
        seen.append(inputs)
        return [np.full((1, 1), number) for number in inputs]

    fault = ("empty_text", "nothing")
    entries = compute(network, [Read(None, fault), Read(1), Read(None, fault), Read(2)])
    assert [entry.array if entry.array is None else entry.array.item() for entry in entries] == [
        *(None, 1),
        *(None, 2),
    ]
    assert [entry.fault for entry in entries] == [fault, None, fault, None]
    assert compute(network, [Read(None, fault)]) == [Entry(None, fault)]
    assert seen == [[1, 2]]


def test_a_media_error_is_kept_without_the_items_path() -> None:
    def reader(item: Item) -> Read:
        raise MediaError("truncated", f"{item.path}: cut; see {item.path}")

    found = read(reader, Item("a", path=Path("some/where.jpg")))
    assert found == Read(None, ("truncated", f"{FILE}: cut; see {FILE}"))


def test_a_file_that_vanished_is_no_fault_of_the_item(tmp_path: Path) -> None:
    def vanished(item: Item) -> Read:
        raise MediaError("missing_file", f"{item.path}: no such file")

    with pytest.raises(MediaError, match="no such file"):
        read(vanished, Item("a", path=tmp_path / "gone"))


@pytest.mark.parametrize("error", [KeyError("bug"), ValueError("wrong"), MemoryError()])
def test_any_other_error_is_raised_and_names_the_item_in_another_process_too(
    error: Exception,
) -> None:
    def reader(item: Item) -> Read:
        raise error

    with pytest.raises(type(error)) as told:
        read(reader, Item("clip 7"))
    assert pickle.loads(pickle.dumps(told.value)).__notes__ == ["while clip 7 was read"]


def test_a_recipe_in_turn_gives_an_entry_an_item(fake: Callable[..., Any]) -> None:
    extract = in_turn(fake(scale=3))
    entries = extract([Item(text, text=text) for text in ("flood", "mute", "cut", "unreadable")])
    assert [None if entry.array is None else entry.array[0, 0] for entry in entries] == [
        *(15, None),
        *(9, None),
    ]
    kinds = [entry.fault and entry.fault[0] for entry in entries]
    assert kinds == [None, "empty_text", "truncated", "decode_failed"]
