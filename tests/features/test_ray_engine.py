"""One Ray of this machine serves most of these tests: starting it takes seconds."""

from __future__ import annotations

import os
import pickle
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from pipeline.features.cache import Entry, ItemCache
from pipeline.features.extract import extract_features
from pipeline.features.ray_engine import ATTEMPTS, Driver, cluster, extract_batch, run_ray
from pipeline.features.recipe import Item, Recipe
from pipeline.ground.failures import Failure

Fake = Callable[..., Any]
WORKERS = 2

pytestmark = [
    pytest.mark.heavy,
    pytest.mark.filterwarnings("ignore::DeprecationWarning:ray"),  # Ray's, of its own defaults
]


@pytest.fixture(scope="module", autouse=True)
def ray() -> Iterator[Any]:
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("RAY_ADDRESS", raising=False)
        with cluster(WORKERS) as started:
            yield started


def items(*contents: str) -> dict[str, Item]:
    return {f"{k:02}key": Item(f"{k:02}", text=text) for k, text in enumerate(contents)}


def packed(
    recipe: Recipe, chosen: list[Item], engine: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> tuple[list[Failure], bytes]:
    monkeypatch.setenv("HGFN_ENGINE", engine)
    workers, path = {"local": 1, "ray": WORKERS}[engine], folder / f"{engine}.h5"
    cache = ItemCache(folder / engine)
    return extract_features(recipe, chosen, ["absent"], path, cache, workers), path.read_bytes()


def test_ray_listens_to_this_machine_alone() -> None:
    addresses = {
        connection.laddr.ip
        for process in psutil.Process().children(recursive=True)
        for connection in process.net_connections("inet")
        if connection.status == psutil.CONN_LISTEN
    }
    assert addresses
    assert addresses <= {"127.0.0.1", "::ffff:127.0.0.1", "::1"}


def test_ray_ends_a_task_that_runs_out_of_memory_again_and_again() -> None:
    processes = psutil.Process().children(recursive=True)
    (raylet,) = (process for process in processes if process.name() == "raylet")
    assert raylet.environ()["RAY_task_oom_retries"] == str(ATTEMPTS - 1)


@pytest.mark.parametrize("kind", ["photo", "clip", "sound", "text"])
def test_ray_gives_the_same_features_and_prints_nothing(
    real_recipe: Callable[..., Recipe],
    real_items: dict[str, list[Item]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    kind: str,
) -> None:
    recipe, chosen = real_recipe(kind), real_items[kind]
    local, ray = (packed(recipe, chosen, name, tmp_path, monkeypatch) for name in ("local", "ray"))
    assert local == ray
    assert capfd.readouterr() == ("", "")


def test_ray_gives_the_same_file_even_where_a_worker_is_killed(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    deadly: Fake,
    extracted: Callable[[], list[str]],
) -> None:
    contents = ["nan", "cut", "deadly", "unreadable", "mute", *("x" * k for k in range(1, 30))]
    chosen = [Item(f"{k:02}", text=text) for k, text in enumerate(contents)]
    local = packed(deadly(times=0), chosen, "local", tmp_path, monkeypatch)
    assert extracted() == [item.id for item in chosen]
    assert packed(deadly(), chosen, "ray", tmp_path, monkeypatch) == local
    assert (tmp_path / "crashes").exists()
    # The worker that took over does nothing again that was already in the cache.
    assert extracted() == [item.id for item in chosen]


def test_a_failure_that_is_tried_again_is_replaced_even_where_its_worker_is_killed(
    tmp_path: Path, cache: ItemCache, deadly: Fake
) -> None:
    cache.put("00key", Entry(None, ("decode_failed", "the old failure")))
    assert list(run_ray(deadly(), items("deadly"), cache, WORKERS)) == ["00key"]
    assert (tmp_path / "crashes").exists()
    entry = cache.get("00key")
    assert entry is not None
    assert entry.failure is None
    assert entry.array is not None


def test_an_item_that_ends_every_worker_is_named(
    tmp_path: Path, cache: ItemCache, deadly: Fake
) -> None:
    with pytest.raises(ValueError, match=f"^{ATTEMPTS} workers died on 01: .*fewer HGFN_WORKERS"):
        list(run_ray(deadly(times=99), items("a", "deadly"), cache, WORKERS))
    assert len((tmp_path / "crashes").read_text()) == ATTEMPTS


@pytest.mark.parametrize(
    ("death", "times", "kind"), [(signal.SIGSEGV, 2, "decoder_crashed"), (signal.SIGKILL, 1, None)]
)
def test_a_crash_of_a_decoder_fails_its_item_and_a_kill_does_not(
    tmp_path: Path,
    cache: ItemCache,
    deadly: Fake,
    death: signal.Signals,
    times: int,
    kind: str | None,
) -> None:
    (tmp_path / "clip.mp4").write_text("deadly")
    chosen = {"00key": Item("00", path=tmp_path / "clip.mp4")}
    recipe = deadly(times=times, signal=death)
    assert list(run_ray(recipe, chosen, cache, WORKERS)) == ["00key"]
    entry = cache.get("00key")
    assert entry is not None
    assert (entry.failure and entry.failure[0]) == kind
    assert len((tmp_path / "crashes").read_text()) == times


@pytest.mark.parametrize("most", ["", "1"])
def test_a_workers_error_is_raised_as_it_is_and_names_its_node(
    fake: Fake, cache: ItemCache, monkeypatch: pytest.MonkeyPatch, most: str
) -> None:
    monkeypatch.setenv("HGFN_WORKERS", most)
    with pytest.raises(KeyError, match="an error of the code") as caught:
        list(run_ray(fake(), items("a", "bug", "b"), cache, WORKERS))
    assert caught.value.__notes__ == ["while 01 was read", f"on node {socket.gethostname()}"]


def test_keys_come_as_they_are_done_and_stopping_stops_the_workers(
    cache: ItemCache, deadly: Fake, extracted: Callable[[], list[str]]
) -> None:
    every = items(*("x" * k for k in range(80)))
    running = run_ray(deadly(seconds=0.1), every, cache, WORKERS)
    assert next(running) in cache
    running.close()
    assert len(extracted()) < len(every) // 2


def test_a_run_leaves_no_marker_in_the_cache(fake: Fake, cache: ItemCache) -> None:
    assert list(run_ray(fake(), items("a"), cache, WORKERS)) == ["00key"]
    assert [path.name for path in cache.folder.rglob("*") if path.is_file()] == ["00key"]


def test_a_node_that_has_another_cache_is_refused_before_its_first_item(
    fake: Fake, cache: ItemCache, tmp_path: Path, extracted: Callable[[], list[str]]
) -> None:
    recipe = fake()
    with ItemCache(tmp_path / "of the driver").marker() as marker:
        job = pickle.dumps((Driver.here(recipe, None), cache, marker, pickle.dumps(recipe)))
        error = extract_batch(job, list(items("a").items()))
    assert str(error) == (
        f"another item cache at {cache.folder}; set HGFN_CACHE to a folder that all nodes share, "
        "or to a URL"
    )
    assert error is not None
    assert error.__notes__ == [f"on node {socket.gethostname()}"]
    assert extracted() == []


CONNECT = """
from pipeline.features.ray_engine import cluster
try:
    with cluster(1):
        pass
except ValueError as error:
    print(error)
"""


def refusal(**environment: str) -> str:
    """What a process of its own says that cannot have a cluster: Ray is imported there anew."""
    command = [sys.executable, "-c", CONNECT]
    variables = {**os.environ, **environment}
    return subprocess.run(command, env=variables, capture_output=True, text=True).stdout.strip()


def test_without_ray_one_line_says_what_to_install(tmp_path: Path) -> None:
    (tmp_path / "ray.py").write_text("raise ImportError(name='ray')")
    path = os.pathsep.join([str(tmp_path), *sys.path])
    assert refusal(PYTHONPATH=path) == (
        'HGFN_ENGINE is ray, but ray is not installed: pip install "hgfn[scale]"'
    )


def test_a_cluster_that_does_not_answer_is_reported_in_one_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
    assert refusal(RAY_ADDRESS=address) == (
        f"cannot connect to the Ray cluster at RAY_ADDRESS {address}: "
        "[Errno 111] Connection refused; see docs/scaling.md for address, versions and token"
    )
