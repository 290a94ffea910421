from __future__ import annotations

import pickle
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from pipeline.features.cache import Entry
from pipeline.features.recipe import FILE, Decoded, Item
from pipeline.features.worker import compute, read, shares
from pipeline.media import MediaError

FAILURE = ("empty_text", "nothing")


def unchanged(inputs: Sequence[Any]) -> list[np.ndarray]:
    return list(inputs)


def computed(network: Callable[..., Any], decoded: Sequence[Decoded]) -> list[Entry]:
    return compute(network, [Item(f"clip {k}") for k in range(len(decoded))], decoded)


def greedy(_: object) -> Any:
    return torch.empty(2**50, dtype=torch.uint8)


@pytest.mark.parametrize(
    ("count", "batch", "workers", "expected"),
    [
        (0, 256, 4, (1, 1)),
        (300, 256, 64, (2, 150)),
        (257, 256, 64, (2, 129)),
        (1000, 256, 2, (2, 256)),
        (9, 1, 4, (4, 1)),
    ],
)
def test_workers_that_start_share_the_items_evenly(
    count: int, batch: int, workers: int, expected: tuple[int, int]
) -> None:
    assert shares(count, batch, workers) == expected


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e39])
def test_features_that_are_not_finite_float32_are_a_failure(bad: float) -> None:
    with np.errstate(over="ignore"):
        (entry,) = computed(unchanged, [Decoded(np.array([[0, bad]]), ("truncated", "cut"))])
    assert entry == Entry(None, ("not_finite", f"{FILE}: features are not finite"))


def test_features_with_a_failure_keep_both() -> None:
    made = np.arange(6.0).reshape(3, 2).T  # float64, not contiguous
    (entry,) = computed(unchanged, [Decoded(made, ("truncated", "cut"))])
    assert entry.array is not None
    assert entry.array.dtype == np.float32
    assert entry.array.flags["C_CONTIGUOUS"]
    assert np.array_equal(entry.array, made)
    assert entry.failure == ("truncated", "cut")


def test_the_network_gets_only_decoded_inputs_and_each_keeps_its_place() -> None:
    calls: list[Sequence[Any]] = []

    def network(inputs: Sequence[Any]) -> list[np.ndarray]:
        calls.append(inputs)
        return [np.full((1, 1), number) for number in inputs]

    failed = Decoded(None, FAILURE)
    entries = computed(network, [failed, Decoded(1), failed, Decoded(2)])
    values = [None if entry.array is None else entry.array.item() for entry in entries]
    assert values == [None, 1, None, 2]
    assert [entry.failure for entry in entries] == [FAILURE, None, FAILURE, None]
    assert computed(network, [failed]) == [Entry(None, FAILURE)]
    assert calls == [[1, 2]]


def test_a_media_error_becomes_a_failure_without_the_items_path() -> None:
    def reader(item: Item) -> Decoded:
        raise MediaError("truncated", f"{item.path}: cut; see {item.path}")

    decoded = read(reader, Item("a", path=Path("some/where.jpg")))
    assert decoded == Decoded(None, ("truncated", f"{FILE}: cut; see {FILE}"))


def test_a_file_that_disappeared_is_no_failure_of_the_item(tmp_path: Path) -> None:
    def reader(item: Item) -> Decoded:
        raise MediaError("missing_file", f"{item.path}: no such file")

    with pytest.raises(MediaError, match="no such file"):
        read(reader, Item("a", path=tmp_path / "gone"))


@pytest.mark.parametrize("error", [KeyError("bug"), ValueError("wrong"), MemoryError()])
def test_any_other_error_is_raised_and_names_the_item_in_another_process_too(
    error: Exception,
) -> None:
    def reader(item: Item) -> Decoded:
        raise error

    with pytest.raises(type(error)) as caught:
        read(reader, Item("clip 7"))
    assert pickle.loads(pickle.dumps(caught.value)).__notes__ == ["while clip 7 was read"]


@pytest.mark.skipif(sys.platform != "linux", reason="needs a file that cannot be read")
def test_a_failing_disk_is_raised_and_nothing_of_the_item_is_cached(
    real_recipe: Callable[..., Any], opened: Callable[..., Any], tmp_path: Path
) -> None:
    path = tmp_path / "clip.wav"
    path.symlink_to("/proc/self/mem")  # nothing is at its address 0
    with pytest.raises(OSError, match=r"repair it and run again.*clip\.wav") as caught:
        opened(real_recipe("sound"))([Item("clip", path=path)])
    assert caught.value.__notes__ == ["while clip was read"]
    assert not (tmp_path / "entries").exists()


def test_out_of_memory_while_reading_names_the_item_and_the_cure() -> None:
    with pytest.raises(MemoryError, match=r"^reading: no memory left; use fewer HGFN_WO") as caught:
        read(greedy, Item("clip 7"))
    assert caught.value.__notes__ == ["while clip 7 was read"]


def test_out_of_memory_in_a_network_names_its_items_and_the_cure() -> None:
    expected = "^the network on clip 0 and 2 more: no memory left; use fewer HGFN_WORKERS and run"
    with pytest.raises(MemoryError, match=expected):
        computed(greedy, [Decoded(1), Decoded(2), Decoded(3)])


def test_out_of_memory_on_a_gpu_names_its_own_cure() -> None:
    def full(_: object) -> Any:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")

    with pytest.raises(MemoryError, match="0 more: the GPU has no memory left; use fewer HGFN_WO"):
        computed(full, [Decoded(1)])


def test_another_error_of_torch_stays_as_it_is() -> None:
    def wrong(_: object) -> Any:
        return torch.ones(2) @ torch.ones(3)

    with pytest.raises(RuntimeError, match="inconsistent tensor size"):
        computed(wrong, [Decoded(1)])
