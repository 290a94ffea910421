from __future__ import annotations

import hashlib
import os
import pickle
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.features.cache import DAY, PARTS, Entry, ItemCache

KEY = "ab" + "0" * 62
ARRAY = np.arange(12, dtype=np.float32).reshape(3, 4)
FAILURE = ("truncated", "{file}: cut off; a \n line feed, \0, ü and \ud800")


def same(one: Entry | None, other: Entry | None) -> bool:
    if one is None or other is None:
        return one is other
    if (one.array is None) or (other.array is None):
        return one.array is other.array and one.failure == other.failure
    equal = np.array_equal(one.array, other.array) and one.array.dtype == other.array.dtype
    return equal and one.failure == other.failure


def files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


@pytest.fixture
def cache(tmp_path: Path) -> ItemCache:
    return ItemCache(tmp_path / "cache")


@pytest.mark.parametrize(
    "entry",
    [
        Entry(ARRAY),
        Entry(None, FAILURE),
        Entry(ARRAY, FAILURE),
        Entry(None),
        Entry(np.zeros((0, 4), np.float32)),
        Entry(np.frombuffer(b"\n\n\n\n", np.uint8)),
    ],
    ids=["array", "failure", "both", "neither", "empty", "line feeds"],
)
def test_what_is_put_comes_back(cache: ItemCache, entry: Entry) -> None:
    assert KEY not in cache
    cache.put(KEY, entry)
    assert KEY in cache
    assert same(cache.get(KEY), entry)
    assert len(files(cache.folder)) == 1
    assert cache.damaged == 0


def test_a_later_entry_replaces_the_first(cache: ItemCache) -> None:
    cache.put(KEY, Entry(ARRAY))
    cache.put(KEY, Entry(None, FAILURE))
    assert same(cache.get(KEY), Entry(None, FAILURE))


def test_equal_entries_are_equal_bytes(cache: ItemCache) -> None:
    cache.put(KEY, Entry(ARRAY, FAILURE))
    (path,) = files(cache.folder)
    first = path.read_bytes()
    cache.put(KEY, Entry(ARRAY.copy(), tuple(FAILURE)))
    assert path.read_bytes() == first


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_a_flipped_bit_or_a_cut_never_gives_wrong_contents(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    cache = ItemCache(tmp_path_factory.mktemp("cache"))
    cache.put(KEY, Entry(ARRAY, FAILURE))
    (path,) = files(cache.folder)
    whole = bytearray(path.read_bytes())
    place = data.draw(st.integers(0, len(whole) - 1))
    if data.draw(st.booleans()):
        whole[place] ^= 1 << data.draw(st.integers(0, 7))
    else:
        del whole[place:]
    path.write_bytes(whole)
    assert cache.get(KEY) is None
    assert cache.damaged == 1
    assert not path.exists()
    assert cache.get(KEY) is None  # only absent now
    assert cache.damaged == 1
    cache.put(KEY, Entry(ARRAY, FAILURE))
    assert same(cache.get(KEY), Entry(ARRAY, FAILURE))


def test_an_array_of_objects_is_refused_and_leaves_nothing(cache: ItemCache) -> None:
    with pytest.raises(ValueError, match="Object arrays cannot be saved"):
        cache.put(KEY, Entry(np.array([{}], dtype=object)))
    assert not cache.folder.exists() or not files(cache.folder)


def test_a_put_that_is_broken_off_leaves_the_old_entry_alone(
    cache: ItemCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(source: str, target: Path) -> None:
        raise OSError("disk full")

    cache.put(KEY, Entry(ARRAY))
    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OSError, match="disk full"):
        cache.put(KEY, Entry(None, FAILURE))
    monkeypatch.undo()
    assert len(files(cache.folder)) == 1
    assert same(cache.get(KEY), Entry(ARRAY))


@pytest.mark.slow
def test_two_processes_may_write_one_key_at_once(tmp_path: Path, beside: None) -> None:
    from cache_writer import put_and_get

    with ProcessPoolExecutor(2, get_context("spawn")) as pool:
        wrong = [pool.submit(put_and_get, tmp_path, KEY, number) for number in range(2)]
        assert [future.result() for future in wrong] == [0, 0]
    assert len(files(tmp_path)) == 1


def test_entries_begin_with_their_sha256(cache: ItemCache) -> None:
    cache.put(KEY, Entry(ARRAY))
    (path,) = files(cache.folder)
    assert path.relative_to(cache.folder) == Path(KEY[:2], KEY)
    data = path.read_bytes()
    assert data[:32] == hashlib.sha256(data[32:]).digest()
    assert os.path.getsize(path) > ARRAY.nbytes


def test_a_cache_is_recognised_by_its_marker_while_that_is_held(
    cache: ItemCache, tmp_path: Path
) -> None:
    with cache.marker() as marker:
        assert marker in pickle.loads(pickle.dumps(cache))
        assert marker not in ItemCache(tmp_path / "other")
    assert marker not in cache
    assert files(cache.folder) == []


def test_what_a_killed_writer_left_is_cleaned_away(cache: ItemCache) -> None:
    cache.put(KEY, Entry(ARRAY))
    ours, gone = (cache.folder / PARTS / f".{KEY}.{who}.01234567.part" for who in ("a@1", "b@2"))
    for path in (ours, gone):
        path.touch()
    long_ago = time.time() - 2 * DAY
    os.utime(gone, (long_ago, long_ago))
    cache.clean()
    assert ours.exists()
    assert not gone.exists()
    assert KEY in cache
