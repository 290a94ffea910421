"""A run that is killed at any moment, then the same command: as if nothing had been."""

from __future__ import annotations

import random
import shutil
import signal
import time
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from pipeline.extractors.soundnet import FILE
from pipeline.extractors.untrained import write_soundnet
from pipeline.ground.processes import is_running

pytestmark = pytest.mark.heavy

KILLED = -signal.SIGKILL
ITEMS, BATCH = 30, 4  # of the toy; see jobs.py


def files(folder: Path) -> dict[str, bytes]:
    """Every file that a run left, hidden ones too, but for its log."""
    paths = (path for path in folder.rglob("*") if path.is_file() and path.name != "log.txt")
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths}


def extractions(folder: Path) -> list[str]:
    log = folder / "log.txt"
    return [line.split()[1] for line in log.read_text().splitlines()] if log.exists() else []


@pytest.fixture(scope="module")
def undisturbed(
    forker: Any, tmp_path_factory: pytest.TempPathFactory
) -> tuple[dict[str, bytes], float]:
    """What a run leaves that nobody kills, and the seconds that it takes."""
    for name in ("one", "two"):  # the first one waits for the forker's imports too
        folder, start = tmp_path_factory.mktemp(name), time.perf_counter()
        assert forker.run("toy", folder, ITEMS) == 0
    return files(folder), time.perf_counter() - start


@pytest.mark.parametrize(
    "kills", [20, pytest.param(200, marks=pytest.mark.long)], ids=lambda kills: f"{kills} kills"
)
def test_runs_killed_at_random_moments_end_as_if_undisturbed(
    forker: Any, undisturbed: tuple[dict[str, bytes], float], tmp_path: Path, kills: int
) -> None:
    expected, seconds = undisturbed
    rng = random.Random(kills)
    left, killed = kills, 0
    while left or killed:
        after = rng.uniform(0, seconds) if left else None
        status = forker.run("toy", tmp_path, ITEMS, after=after)
        if status == KILLED:
            left, killed = left - 1, killed + 1
            written = files(tmp_path).get("out/text.h5")
            assert written in (None, expected["out/text.h5"])
            continue
        assert status == 0
        assert files(tmp_path) == expected
        assert len(set(extractions(tmp_path))) == ITEMS
        assert len(extractions(tmp_path)) <= ITEMS + killed * BATCH
        shutil.rmtree(tmp_path)
        killed = 0


@pytest.mark.parametrize("before", [False, True], ids=["a first run", "a run after another"])
def test_a_run_killed_before_any_operation_on_files_can_be_repeated(
    forker: Any, tmp_path: Path, before: bool
) -> None:
    few = 3
    assert forker.run("toy", tmp_path / "undisturbed", few) == 0
    expected = files(tmp_path / "undisturbed")
    for step in count():
        folder = tmp_path / str(step)
        if before:
            assert forker.run("toy", folder, few - 1) == 0
        status = forker.run("toy", folder, few, step=step)
        assert forker.run("toy", folder, few) == 0
        assert files(folder) == expected
        if status == 0:
            break
    assert step > (10 if before else 15)


def test_a_packing_killed_at_any_array_leaves_the_old_file_until_it_is_repeated(
    forker: Any, tmp_path: Path
) -> None:
    arrays, never = 5, -1
    assert forker.run("pack", tmp_path, arrays, never) == 0
    expected = files(tmp_path)
    assert list(expected) == ["out.h5"]
    for last in range(arrays):
        assert forker.run("pack", tmp_path, arrays, last) == KILLED
        left = files(tmp_path)
        assert len(left) == 2  # what the kill before left is gone already
        assert left["out.h5"] == expected["out.h5"]
    assert forker.run("pack", tmp_path, arrays, never) == 0
    assert files(tmp_path) == expected


def test_a_download_killed_before_any_operation_leaves_the_old_or_the_new_or_nothing(
    forker: Any, tmp_path: Path
) -> None:
    source = tmp_path / "source"
    source.mkdir()
    (source / "manifest.csv").write_text(
        "id,source,start,end,description,fire\na,a.mp4,,,flood,1\nb,b.mp4,,,fire,0\n"
    )
    wholes = []
    for version in ("old", "new"):
        for name in "ab":
            (source / f"{name}.mp4").write_text(f"{version} {name}")
        folder = tmp_path / version
        folder.mkdir()
        assert forker.run("download", folder) == 0
        wholes.append(files(folder))
    for step in count():
        folder = tmp_path / str(step)
        shutil.copytree(tmp_path / "old", folder)
        status = forker.run("download", folder, step=step)
        raw = {name: data for name, data in files(folder).items() if name.startswith("raw/")}
        assert raw in ({}, *wholes)
        assert forker.run("download", folder) == 0
        assert files(folder) == wholes[1]
        assert [path.name for path in folder.iterdir()] == ["raw"]
        if status == 0:
            break
    assert step > 10


def test_a_training_killed_before_any_operation_on_files_resumes_to_the_same_bytes(
    forker: Any, tmp_path: Path
) -> None:
    epochs = 2
    assert forker.run("training", tmp_path / "undisturbed", epochs) == 0
    expected = files(tmp_path / "undisturbed")
    assert sorted(expected) == ["model/config.json", "model/labels.json", "model/model.safetensors"]
    for step in count():
        folder = tmp_path / str(step)
        status = forker.run("training", folder, epochs, step=step)
        assert forker.run("training", folder, epochs) == 0
        assert files(folder) == expected
        if status == 0:
            break
    assert step > 4 * epochs


def test_a_real_network_killed_at_random_moments_ends_as_if_undisturbed(
    forker: Any, tmp_path: Path
) -> None:
    weights = tmp_path / "weights"
    write_soundnet(weights / FILE)
    folder = tmp_path / "undisturbed"
    assert forker.run("write_sounds", tmp_path / "sounds") == 0
    start = time.perf_counter()
    assert forker.run("sound", folder, weights) == 0
    seconds, expected = time.perf_counter() - start, files(folder)
    rng = random.Random(0)
    folder = tmp_path / "killed"
    for _ in range(3):
        forker.run("sound", folder, weights, after=rng.uniform(0, seconds))
    assert forker.run("sound", folder, weights) == 0
    assert files(folder) == expected


def test_workers_end_with_a_killed_parent_and_what_they_did_is_cached(
    forker: Any, tmp_path: Path
) -> None:
    many = 1000
    assert forker.run("toy", tmp_path / "undisturbed", many) == 0
    folder = tmp_path / "killed"
    log = folder / "log.txt"
    # Once there is a log, the workers have begun: they need long to start.
    assert forker.run("toy", folder, many, 2, after=0.2, once=log) == KILLED
    workers = {int(line.split()[0]) for line in log.read_text().splitlines()}
    deadline = time.monotonic() + 5
    while any(is_running(worker) for worker in workers):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    done = len(extractions(folder))
    assert 0 < done < many
    assert forker.run("toy", folder, many) == 0
    assert len(extractions(folder)) <= many + 2 * BATCH  # those in hand
    assert files(folder) == files(tmp_path / "undisturbed")
