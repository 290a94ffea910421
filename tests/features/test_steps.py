from __future__ import annotations

import pickle
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from pipeline.features.entry import Entry
from pipeline.features.recipe import FILE, Item, Read
from pipeline.features.steps import compute, in_turn, read
from pipeline.media.errors import MediaError


def same(inputs: Sequence[Any]) -> list[np.ndarray]:
    return list(inputs)


def computed(network: Callable[..., Any], reads: Sequence[Read]) -> list[Entry]:
    return compute(network, [Item(f"clip {k}") for k in range(len(reads))], reads)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_features_that_are_not_finite_are_a_fault(bad: float) -> None:
    (entry,) = computed(same, [Read(np.array([[0, bad]]), ("truncated", "cut"))])
    assert entry == Entry(None, ("not_finite", f"{FILE}: features are not finite"))


def test_features_beyond_float32_are_a_fault() -> None:
    with np.errstate(over="ignore"):
        (entry,) = computed(same, [Read(np.array([[1e39]]))])
    assert entry.array is None


def test_features_with_a_fault_keep_both() -> None:
    made = np.arange(6.0).reshape(3, 2).T  # float64, not contiguous
    (entry,) = computed(same, [Read(made, ("truncated", "cut"))])
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
    entries = computed(network, [Read(None, fault), Read(1), Read(None, fault), Read(2)])
    assert [entry.array if entry.array is None else entry.array.item() for entry in entries] == [
        *(None, 1),
        *(None, 2),
    ]
    assert [entry.fault for entry in entries] == [fault, None, fault, None]
    assert computed(network, [Read(None, fault)]) == [Entry(None, fault)]
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


def greedy(_: object) -> Any:
    return torch.empty(2**50, dtype=torch.uint8)


def test_want_of_memory_while_reading_names_the_item_and_the_cure() -> None:
    with pytest.raises(MemoryError, match=r"^reading: no memory left; use fewer HGFN_WORK") as told:
        read(greedy, Item("clip 7"))
    assert told.value.__notes__ == ["while clip 7 was read"]


def test_want_of_memory_in_a_network_names_its_items_and_the_cure() -> None:
    expected = "^the network on clip 0 and 2 more: no memory left; use fewer HGFN_WORKERS and run"
    with pytest.raises(MemoryError, match=expected):
        computed(greedy, [Read(1), Read(2), Read(3)])


def test_want_of_memory_on_a_gpu_names_its_own_cure() -> None:
    def full(_: object) -> Any:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")

    with pytest.raises(MemoryError, match="0 more: the GPU has no memory left; use a GPU with mo"):
        computed(full, [Read(1)])


def test_another_error_of_torch_stays_as_it_is() -> None:
    def wrong(_: object) -> Any:
        return torch.ones(2) @ torch.ones(3)

    with pytest.raises(RuntimeError, match="inconsistent tensor size"):
        computed(wrong, [Read(1)])
