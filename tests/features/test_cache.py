"""What every item cache promises: in a folder, in an object store, and on a shared file system."""

from __future__ import annotations

import hashlib
import os
import pickle
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import fsspec
import numpy as np
import pytest
from fsspec.implementations.local import LocalFileSystem
from fsspec.implementations.memory import MemoryFileSystem
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.features.bucket_cache import AT_ONCE, BucketCache
from pipeline.features.cache import DAY, PARTS, Entry, ItemCache, MemoryCache

KEY, OTHER = "ab" + "0" * 62, "ab" + "0" * 61 + "1"
ARRAY = np.arange(12, dtype=np.float32).reshape(3, 4)
FAILURE = ("truncated", "{file}: cut off; a \n line feed, \0, \u00fc and \ud800")
BOTH = Entry(ARRAY, FAILURE)


def same(one: Entry | None, other: Entry) -> bool:
    if one is None or one.array is None or other.array is None:
        return one is not None and one.array is other.array and one.failure == other.failure
    equal = np.array_equal(one.array, other.array) and one.array.dtype == other.array.dtype
    return equal and one.failure == other.failure


def new_cache(kind: str, folder: Path) -> ItemCache:
    if kind == "folder":
        return ItemCache(folder / "cache")
    url = f"memory://{folder.name}" if kind == "memory" else f"file://{folder}/cache/"
    return BucketCache(url)


@pytest.fixture(params=["folder", "memory", "file"])
def cache(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ItemCache]:
    yield new_cache(request.param, tmp_path)
    MemoryFileSystem.store.clear()


def stored(cache: ItemCache) -> dict[str, bytes]:
    """Every file of a cache, by its path below the cache's root."""
    url = cache.url if isinstance(cache, BucketCache) else f"file://{cache.folder}"
    store, root = fsspec.core.url_to_fs(url)
    return {str(path)[len(root) + 1 :]: store.cat_file(path) for path in store.find(root)}


def overwrite(cache: ItemCache, key: str, data: bytes) -> None:
    url = cache.url if isinstance(cache, BucketCache) else f"file://{cache.folder}"
    store, path = fsspec.core.url_to_fs(f"{url}/{key[:2]}/{key}")
    store.pipe_file(path, data)


@pytest.mark.parametrize(
    "entry",
    [
        Entry(ARRAY),
        Entry(None, FAILURE),
        BOTH,
        Entry(None),
        Entry(np.zeros((0, 4), np.float32)),
        Entry(np.frombuffer(b"\n\n\n\n", np.uint8)),
    ],
    ids=["array", "failure", "both", "neither", "empty", "line feeds"],
)
def test_what_is_put_comes_back_in_another_process_too(cache: ItemCache, entry: Entry) -> None:
    assert KEY not in cache
    cache.put(KEY, entry)
    assert KEY in cache
    assert same(pickle.loads(pickle.dumps(cache)).get(KEY), entry)
    assert list(stored(cache)) == [f"ab/{KEY}"]
    assert cache.damaged == 0


def test_a_later_entry_replaces_the_first(cache: ItemCache) -> None:
    cache.put(KEY, Entry(ARRAY))
    cache.put(KEY, Entry(None, FAILURE))
    assert same(cache.get(KEY), Entry(None, FAILURE))


def test_equal_entries_are_equal_bytes_in_every_store_and_begin_with_their_sha256(
    cache: ItemCache, tmp_path: Path
) -> None:
    cache.put(KEY, BOTH)
    folder = ItemCache(tmp_path / "another")
    folder.put(KEY, Entry(ARRAY.copy(), tuple(FAILURE)))
    assert stored(cache) == stored(folder)
    (data,) = stored(cache).values()
    assert data[:32] == hashlib.sha256(data[32:]).digest()


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.data())
def test_a_flipped_bit_or_a_cut_never_gives_wrong_contents(
    cache: ItemCache, data: st.DataObject
) -> None:
    cache.damaged = 0
    cache.put(KEY, BOTH)
    whole = bytearray(stored(cache)[f"ab/{KEY}"])
    place = data.draw(st.integers(0, len(whole) - 1))
    if data.draw(st.booleans()):
        whole[place] ^= 1 << data.draw(st.integers(0, 7))
    else:
        del whole[place:]
    overwrite(cache, KEY, bytes(whole))
    assert cache.get(KEY) is None
    assert cache.damaged == 1
    assert stored(cache) == {}
    assert cache.get(KEY) is None  # only absent now
    assert cache.damaged == 1


def test_many_entries_come_in_order_and_damaged_ones_are_dropped(cache: ItemCache) -> None:
    keys = [f"{k % 7:02x}{k:062x}" for k in range(2 * AT_ONCE + 9)]
    for k, key in enumerate(keys[::2]):
        cache.put(key, Entry(np.full((1, 1), k, np.float32)))
    overwrite(cache, keys[-1], b"half")
    result = list(cache.get_many(iter([*keys, keys[0]])))
    assert [key for key, _ in result] == [*keys, keys[0]]
    for k, (_, entry) in enumerate(result[:-2]):
        assert (entry is None) == (k % 2 == 1)
        assert entry is None or same(entry, Entry(np.full((1, 1), k // 2, np.float32)))
    assert result[-2][1] is None
    assert cache.damaged == 1


def test_an_array_of_objects_is_refused_and_leaves_nothing(cache: ItemCache) -> None:
    with pytest.raises(ValueError, match="Object arrays cannot be saved"):
        cache.put(KEY, Entry(np.array([{}], dtype=object)))
    assert KEY not in cache


@pytest.mark.parametrize(
    ("kind", "owner", "name"), [("folder", os, "replace"), ("file", LocalFileSystem, "mv")]
)
def test_a_put_that_is_broken_off_leaves_the_old_entry_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, owner: object, name: str
) -> None:
    def fail(*arguments: object, **options: object) -> None:
        raise OSError("disk full")

    cache = new_cache(kind, tmp_path)
    cache.put(KEY, Entry(ARRAY))
    monkeypatch.setattr(owner, name, fail)
    with pytest.raises(OSError, match="disk full"):
        cache.put(KEY, Entry(None, FAILURE))
    monkeypatch.undo()
    assert list(stored(cache)) == [f"ab/{KEY}"]
    assert same(cache.get(KEY), Entry(ARRAY))


def test_a_cache_is_recognised_by_its_marker_while_that_is_held(
    cache: ItemCache, tmp_path: Path
) -> None:
    with cache.marker() as marker:
        assert marker in pickle.loads(pickle.dumps(cache))
        assert marker not in ItemCache(tmp_path / "other")
    assert marker not in cache
    assert stored(cache) == {}


@pytest.mark.slow
def test_two_processes_may_write_one_key_at_once(tmp_path: Path, beside: None) -> None:
    from cache_writer import put_and_get

    with ProcessPoolExecutor(2, get_context("spawn")) as pool:
        wrong = [pool.submit(put_and_get, tmp_path, KEY, number) for number in range(2)]
        assert [future.result() for future in wrong] == [0, 0]
    assert list(stored(ItemCache(tmp_path))) == [f"ab/{KEY}"]


def test_what_a_killed_writer_left_is_cleaned_away(tmp_path: Path) -> None:
    cache = ItemCache(tmp_path)
    cache.put(KEY, Entry(ARRAY))
    new, old = (cache.folder / PARTS / f".{KEY}.{who}.01234567.part" for who in ("a@1", "b@2"))
    for path in (new, old):
        path.touch()
    long_ago = time.time() - 2 * DAY
    os.utime(old, (long_ago, long_ago))
    cache.clean()
    assert new.exists()
    assert not old.exists()
    assert KEY in cache


def test_a_full_disk_names_the_entry(tmp_path: Path, largest_file: Callable[[int], Any]) -> None:
    cache = ItemCache(tmp_path)
    with largest_file(40), pytest.raises(OSError, match="File too large") as caught:
        cache.put(KEY, BOTH)
    assert caught.value.filename == str(tmp_path / KEY[:2] / KEY)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_entries_in_memory_are_there_until_they_are_cleared() -> None:
    cache = MemoryCache()
    cache.put(KEY, BOTH)
    cache.clean()
    (first, own), (second, other) = cache.get_many([KEY, OTHER])
    assert (first, second, other) == (KEY, OTHER, None)
    assert same(own, BOTH)
    cache.clear()
    assert cache.get(KEY) is None


def test_a_marker_in_memory_is_there_for_its_block() -> None:
    cache = MemoryCache()
    with cache.marker() as key:
        assert key in cache
    assert key not in cache
