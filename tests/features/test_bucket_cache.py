from __future__ import annotations

import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fsspec
import numpy as np
import pytest
from fsspec.implementations.local import LocalFileSystem
from fsspec.implementations.memory import MemoryFileSystem

from pipeline.features.bucket_cache import AT_ONCE, BucketCache, open_cache
from pipeline.features.cache import Entry, ItemCache

KEY = "ab" + "0" * 62
ENTRY = Entry(np.arange(12, dtype=np.float32).reshape(3, 4), ("truncated", "{file}: cut off"))


@pytest.fixture(params=["memory", "file"])
def cache(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[BucketCache]:
    url = f"memory://{tmp_path.name}" if request.param == "memory" else f"file://{tmp_path}/cache/"
    yield BucketCache(url)
    MemoryFileSystem.store.clear()


def stored(cache: BucketCache) -> dict[str, bytes]:
    store, root = fsspec.core.url_to_fs(cache.url)
    return {str(path): store.cat_file(path) for path in store.find(root)}


def same(one: Entry | None, other: Entry) -> bool:
    assert one is not None
    assert one.array is not None
    return one.failure == other.failure and np.array_equal(one.array, other.array)


def test_what_is_put_comes_back_in_another_process_too(cache: BucketCache) -> None:
    assert KEY not in cache
    assert cache.get(KEY) is None
    cache.put(KEY, ENTRY)
    assert KEY in cache
    assert same(pickle.loads(pickle.dumps(cache)).get(KEY), ENTRY)
    cache.put(KEY, Entry(None, ("decode_failed", "no")))
    assert cache.get(KEY) == Entry(None, ("decode_failed", "no"))
    assert [path.split("/")[-2:] for path in stored(cache)] == [["ab", KEY]]


def test_an_entry_has_the_bytes_that_a_folder_would_hold(
    cache: BucketCache, tmp_path: Path
) -> None:
    cache.put(KEY, ENTRY)
    folder = ItemCache(tmp_path / "folder")
    folder.put(KEY, ENTRY)
    assert list(stored(cache).values()) == [(folder.folder / "ab" / KEY).read_bytes()]


@pytest.mark.parametrize("keep", [0, 10, 100])
def test_a_damaged_entry_is_dropped_and_counted(cache: BucketCache, keep: int) -> None:
    cache.put(KEY, ENTRY)
    ((path, whole),) = stored(cache).items()
    fsspec.core.url_to_fs(cache.url)[0].pipe_file(path, whole[:keep])
    assert cache.get(KEY) is None
    assert cache.damaged == 1
    assert stored(cache) == {}
    assert cache.get(KEY) is None
    assert cache.damaged == 1


def test_a_put_that_is_broken_off_leaves_the_old_entry_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*arguments: Any, **options: Any) -> None:
        raise OSError("disk full")

    cache = BucketCache(f"file://{tmp_path}/cache")
    cache.put(KEY, ENTRY)
    monkeypatch.setattr(LocalFileSystem, "mv", fail)
    with pytest.raises(OSError, match="disk full"):
        cache.put(KEY, Entry(None))
    assert len(stored(cache)) == 1
    assert same(cache.get(KEY), ENTRY)


def test_the_environment_says_where_the_cache_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HGFN_CACHE", str(tmp_path))
    assert open_cache().folder == tmp_path
    monkeypatch.setenv("HGFN_CACHE", f"file://{tmp_path}/remote/")
    opened = open_cache()
    assert isinstance(opened, BucketCache)
    assert opened.url == f"file://{tmp_path}/remote"


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("nosuch://bucket", "Protocol not known: nosuch"),
        ("abfs://bucket/x", "Install adlfs"),
    ],
)
def test_a_store_that_is_not_known_here_is_reported_in_one_line(url: str, message: str) -> None:
    with pytest.raises(ValueError, match=f"HGFN_CACHE is '{url}': {message}") as error:
        BucketCache(url)
    assert "\n" not in str(error.value)


def test_a_store_that_cannot_be_reached_is_reported_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(*arguments: Any, **options: Any) -> bool:
        raise PermissionError("Access denied\nsecond line")

    monkeypatch.setattr(MemoryFileSystem, "exists", refuse)
    with pytest.raises(
        ValueError, match=r"^HGFN_CACHE memory://x cannot be reached: Access denied$"
    ):
        BucketCache("memory://x")


def test_a_cache_is_recognised_by_its_marker_while_that_is_held(
    cache: BucketCache, tmp_path: Path
) -> None:
    with cache.marker() as marker:
        assert marker in pickle.loads(pickle.dumps(cache))
        assert marker not in BucketCache(f"memory://{tmp_path.name}-other")
    assert marker not in cache
    assert stored(cache) == {}


def test_many_entries_come_in_order(cache: BucketCache) -> None:
    keys = [f"{k % 7:02x}{k:062x}" for k in range(2 * AT_ONCE + 9)]
    for k, key in enumerate(keys[::2]):
        cache.put(key, Entry(np.full((1, 1), k, np.float32)))
    result = list(cache.get_many(iter([*keys, keys[0]])))
    assert [key for key, _ in result] == [*keys, keys[0]]
    for k, (_, entry) in enumerate(result[:-1]):
        assert (entry is None) == (k % 2 == 1)
        assert entry is None or same(entry, Entry(np.full((1, 1), k // 2, np.float32)))


def test_a_damaged_one_of_many_is_dropped_and_counted(cache: BucketCache) -> None:
    other = KEY[:-1] + "1"
    for key in (KEY, other):
        cache.put(key, ENTRY)
    path = next(path for path in stored(cache) if path.endswith(KEY))
    fsspec.core.url_to_fs(cache.url)[0].pipe_file(path, b"half")
    entries = dict(cache.get_many([KEY, other]))
    assert entries[KEY] is None
    assert same(entries[other], ENTRY)
    assert cache.damaged == len(stored(cache)) == 1


def test_a_store_that_fails_meanwhile_is_no_cache_without_the_entry(
    cache: BucketCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, _ = fsspec.core.url_to_fs(cache.url)

    def refuse(*arguments: Any, **options: Any) -> bytes:
        raise PermissionError("access denied")

    monkeypatch.setattr(type(store), "cat_file", refuse)
    with pytest.raises(PermissionError):
        list(cache.get_many([KEY]))
