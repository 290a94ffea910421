from __future__ import annotations

import os
import time
from math import inf
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from pipeline.cli import app
from pipeline.features.cache import DAY, PARTS, Entry, ItemCache
from pipeline.features.cache_report import cached_files, prune

SIZE = 1000


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ItemCache:
    """Four entries of SIZE bytes, last used 40, 30, 20 and 10 days ago."""
    monkeypatch.setenv("HGFN_CACHE", str(tmp_path))
    cache = ItemCache(tmp_path)
    for days in (40, 10, 30, 20):
        path = entry_of(cache, days)
        path.parent.mkdir()
        path.write_bytes(bytes(SIZE))
        os.utime(path, (0, time.time() - days * DAY))
    return cache


def entry_of(cache: ItemCache, days: int) -> Path:
    return cache.folder / str(days) / f"{days}{days:062}"


def ages(cache: ItemCache) -> list[int]:
    return [int(file.path.name[:2]) for file in cached_files(cache.folder)]


def hgfn(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["cache", *arguments])
    return result.exit_code, result.output


@pytest.mark.parametrize(
    ("days", "size", "left"),
    [
        (inf, inf, [40, 30, 20, 10]),
        (25.0, inf, [20, 10]),
        (0.0, inf, []),
        (100.0, inf, [40, 30, 20, 10]),
        (inf, 2 * SIZE, [20, 10]),
        (inf, 2 * SIZE - 1, [10]),
        (inf, 0, []),
        (35.0, 3 * SIZE, [30, 20, 10]),
        (35.0, SIZE, [10]),
        (15.0, 3 * SIZE, [10]),
    ],
)
def test_the_least_recently_used_go_first(
    cache: ItemCache, days: float, size: float, left: list[int]
) -> None:
    removed = prune(cache.folder, days, float(size))
    assert ages(cache) == left
    assert len(removed) == 4 - len(left)


def test_to_use_an_entry_saves_it(tmp_path: Path) -> None:
    cache = ItemCache(tmp_path)
    used, unused = "a" * 64, "b" * 64
    for key in (used, unused):
        cache.put(key, Entry(np.zeros((1, 2), np.float32)))
        os.utime(tmp_path / key[:2] / key, (0, time.time() - 9 * DAY))
    assert cache.get(used) is not None
    prune(tmp_path, older_than=2.0)
    assert [file.path.name for file in cached_files(tmp_path)] == [used]


def test_a_writers_leftovers_go_when_a_day_old(cache: ItemCache) -> None:
    parts = cache.folder / PARTS
    parts.mkdir()
    for name, days in (("old", 2.0), ("new", 0.5)):
        path = parts / f".{name}.elsewhere@1.01234567.part"
        path.touch()
        os.utime(path, (0, time.time() - days * DAY))
    prune(cache.folder)
    assert [path.name[:4] for path in parts.iterdir()] == [".new"]
    assert len(ages(cache)) == 4


def test_checkpoints_of_abandoned_trainings_go_by_age_and_size_as_entries_do(
    cache: ItemCache,
) -> None:
    folder = cache.folder / "checkpoints"
    folder.mkdir()
    for name, days in (("a.pt", 35), ("b.pt", 1), (".c.pt.elsewhere@1.01234567.part", 2)):
        (folder / name).write_bytes(bytes(SIZE))
        os.utime(folder / name, (0, time.time() - days * DAY))
    assert len(prune(cache.folder, 25.0)) == 3
    assert [path.name for path in folder.iterdir()] == ["b.pt"]
    assert len(prune(cache.folder, max_bytes=float(SIZE))) == 2
    assert [path.name for path in folder.iterdir()] == ["b.pt"]


def test_the_command_tells_what_lies_there_and_what_it_removed(cache: ItemCache) -> None:
    (cache.folder / "clips").mkdir()
    (cache.folder / "clips" / "a.mp4").write_bytes(bytes(2_500_000))
    code, output = hgfn()
    assert code == 0
    assert f"{cache.folder}: 4 entries, 4.0 KB\nlast used between 20" in output
    assert output.endswith("\nclips: 1 file, 2.5 MB; never pruned\n")
    code, output = hgfn("--prune-older-than", "25", "--max-size", "1KB")
    assert code == 0
    assert output.startswith(f"removed 3 entries, 3.0 KB\n{cache.folder}: 1 entry, 1.0 KB\n")
    assert (cache.folder / "clips" / "a.mp4").exists()


def test_a_cache_that_was_never_used_is_empty(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HGFN_CACHE", str(tmp_path / "none"))
    assert hgfn() == (0, f"{tmp_path / 'none'}: 0 entries, 0 B\n")


def test_a_wrong_size_is_refused_in_one_line_and_nothing_is_removed(cache: ItemCache) -> None:
    message = "error: --max-size is '2XB'; allowed: a size, as in 500MB, 2GB, 1.5TB\n"
    assert hgfn("--max-size", "2XB") == (1, message)
    assert len(ages(cache)) == 4


@pytest.mark.parametrize("days", ["-1", "a week"])
def test_a_wrong_number_of_days_is_refused_and_nothing_is_removed(
    cache: ItemCache, days: str
) -> None:
    code, output = hgfn("--prune-older-than", days)
    assert code == 2
    assert "--prune-older-than" in output
    assert len(ages(cache)) == 4


def test_what_other_tools_keep_in_folders_of_two_digits_is_left_alone(tmp_path: Path) -> None:
    theirs = tmp_path / "ab" / "cdef0123456789"
    theirs.parent.mkdir()
    theirs.write_bytes(b"an object of git")
    assert cached_files(tmp_path) == []
    prune(tmp_path, max_bytes=0.0)
    assert theirs.exists()
