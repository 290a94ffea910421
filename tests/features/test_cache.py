from __future__ import annotations

import hashlib
import os
import pickle
import re
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.features import cache as module
from pipeline.features.cache import DAY, ItemCache
from pipeline.features.entry import Entry
from pipeline.ground import temporaries

KEY = "ab" + "0" * 62
ARRAY = np.arange(12, dtype=np.float32).reshape(3, 4)
FAULT = ("truncated", "{file}: cut off; a \n line feed, \0, ü and \ud800")


def same(one: Entry | None, other: Entry | None) -> bool:
    if one is None or other is None:
        return one is other
    if (one.array is None) or (other.array is None):
        return one.array is other.array and one.fault == other.fault
    equal = np.array_equal(one.array, other.array) and one.array.dtype == other.array.dtype
    return equal and one.fault == other.fault


def files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


@pytest.fixture
def cache(tmp_path: Path) -> ItemCache:
    return ItemCache(tmp_path / "cache")


@pytest.mark.parametrize(
    "entry",
    [
        Entry(ARRAY),
        Entry(None, FAULT),
        Entry(ARRAY, FAULT),
        Entry(None),
        Entry(np.zeros((0, 4), np.float32)),
        Entry(np.frombuffer(b"\n\n\n\n", np.uint8)),
    ],
    ids=["array", "fault", "both", "neither", "empty", "line feeds"],
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
    cache.put(KEY, Entry(None, FAULT))
    assert same(cache.get(KEY), Entry(None, FAULT))


def test_equal_entries_are_equal_bytes(cache: ItemCache) -> None:
    cache.put(KEY, Entry(ARRAY, FAULT))
    (path,) = files(cache.folder)
    first = path.read_bytes()
    cache.put(KEY, Entry(ARRAY.copy(), tuple(FAULT)))
    assert path.read_bytes() == first


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_a_flipped_bit_or_a_cut_never_gives_wrong_contents(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    cache = ItemCache(tmp_path_factory.mktemp("cache"))
    cache.put(KEY, Entry(ARRAY, FAULT))
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
    cache.put(KEY, Entry(ARRAY, FAULT))
    assert same(cache.get(KEY), Entry(ARRAY, FAULT))


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
    monkeypatch.setattr(module.os, "replace", fail)
    with pytest.raises(OSError, match="disk full"):
        cache.put(KEY, Entry(None, FAULT))
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


def test_a_cache_is_known_by_its_mark_while_it_bears_it(cache: ItemCache, tmp_path: Path) -> None:
    with cache.marked() as mark:
        assert pickle.loads(pickle.dumps(cache)).bears(mark)
        assert not ItemCache(tmp_path / "other").bears(mark)
    assert not cache.bears(mark)
    assert files(cache.folder) == []


def test_a_killed_drivers_mark_is_cleaned_away_as_what_it_was_writing(cache: ItemCache) -> None:
    with cache.marked() as mark:
        left = files(cache.folder)[0]
    # The same name, of a process that is gone.
    left.with_name(re.sub(r"@\d+", "@999999999", left.name)).touch()
    cache.clean()
    assert files(cache.folder) == []
    assert not cache.bears(mark)


def test_a_mark_that_is_renewed_outlives_a_day_of_other_machines_cleaning(
    cache: ItemCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    with cache.marked() as mark:
        monkeypatch.setattr(temporaries, "_where", lambda: "another-machine")
        for renewed in (True, False):
            long_ago = time.time() - 2 * DAY
            os.utime(files(cache.folder)[0], (long_ago, long_ago))
            if renewed:
                cache.renew(mark)
            cache.clean()
            assert cache.bears(mark) == renewed
