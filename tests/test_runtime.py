from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from pipeline import runtime

VARIABLES: dict[str, Callable[[], object]] = {
    "HGFN_WORKERS": runtime.workers,
    "HGFN_MEMORY": runtime.memory,
    "HGFN_DEVICE": runtime.device,
    "HGFN_ENGINE": runtime.engine,
    "HGFN_CACHE": runtime.cache_folder,
    "RAY_ADDRESS": runtime.cluster,
    "HGFN_YTDLP": runtime.ytdlp_config,
    "HGFN_PAUSE": runtime.pause,
    "HGFN_CHECKPOINT": runtime.checkpoint_interval,
    "HGFN_MIRROR": runtime.mirror,
}


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in VARIABLES:
        monkeypatch.delenv(variable, raising=False)


@pytest.mark.parametrize(
    ("variable", "value", "meant"),
    [
        ("HGFN_WORKERS", "1", 1),
        ("HGFN_WORKERS", "12", 12),
        ("HGFN_MEMORY", "0", 0),
        ("HGFN_MEMORY", "1.5 gb", 1_500_000_000),
        ("HGFN_DEVICE", "cpu", "cpu"),
        ("HGFN_DEVICE", "cuda", "cuda"),
        ("HGFN_ENGINE", "local", "local"),
        ("HGFN_ENGINE", "ray", "ray"),
        ("RAY_ADDRESS", "head.node:6379", "head.node:6379"),
        ("HGFN_PAUSE", "0", 0.0),
        ("HGFN_PAUSE", "2.5", 2.5),
        ("HGFN_CHECKPOINT", "0", 0.0),
        ("HGFN_CHECKPOINT", "600", 600.0),
        ("HGFN_MIRROR", "https://host/", "https://host"),
        ("HGFN_YTDLP", __file__, Path(__file__)),
        ("HGFN_CACHE", "/some where/é", Path("/some where/é")),
        ("HGFN_CACHE", "~/cache", Path.home() / "cache"),
    ],
)
def test_a_good_value_is_taken(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str, meant: object
) -> None:
    monkeypatch.setenv(variable, value)
    assert VARIABLES[variable]() == meant


@pytest.mark.parametrize("variable", VARIABLES)
def test_an_empty_variable_is_one_that_is_not_set(
    monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    unset = VARIABLES[variable]()
    monkeypatch.setenv(variable, "")
    # Free memory differs from moment to moment.
    expected = pytest.approx(unset, rel=0.5) if variable == "HGFN_MEMORY" else unset
    assert VARIABLES[variable]() == expected


@pytest.mark.parametrize(
    ("group", "files", "free"),
    [
        ("0::/job\n", {"job/memory.max": 900, "job/memory.current": 500}, 400),
        ("0::/job\n", {"memory.max": 900, "memory.current": 500}, 400),  # of the group above
        ("0::/job\n", {"job/memory.max": 100, "job/memory.current": 500}, 0),
        (
            "9:cpu:/x\n4:memory:/job/1\n",
            {"memory/job/memory.limit_in_bytes": 900, "memory/job/memory.usage_in_bytes": 600},
            300,
        ),
    ],
)
def test_memory_is_limited_by_control_groups_whose_cached_files_make_room(
    tmp_path: Path, group: str, files: dict[str, int], free: int
) -> None:
    (tmp_path / "proc/self").mkdir(parents=True)
    (tmp_path / "proc/self/cgroup").write_text(group)
    for name, value in files.items():
        path = tmp_path / "sys/fs/cgroup" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{value}\n")
        path.with_name("memory.stat").write_text("anon 7\n")
    assert runtime.free_memory(tmp_path) == free
    for stat in tmp_path.rglob("memory.stat"):
        stat.write_text("inactive_file 50\ntotal_inactive_file 50\n")
    assert runtime.free_memory(tmp_path) == max(0, free + 50 if free else 0)


@pytest.mark.parametrize("groups", [None, "0::/\n"])
def test_without_a_limit_the_machines_memory_counts(tmp_path: Path, groups: str | None) -> None:
    if groups:
        (tmp_path / "proc/self").mkdir(parents=True)
        (tmp_path / "proc/self/cgroup").write_text(groups)
        (tmp_path / "sys/fs/cgroup").mkdir(parents=True)
        (tmp_path / "sys/fs/cgroup/memory.max").write_text("max\n")
    available = psutil.virtual_memory().available
    assert runtime.free_memory(tmp_path) == pytest.approx(available, rel=0.5)


def test_without_variables_it_is_every_core_the_cpu_and_the_users_cache() -> None:
    assert runtime.workers() == len(os.sched_getaffinity(0))
    assert (runtime.device(), runtime.engine()) == ("cpu", "local")
    assert runtime.cache_folder().name == "hgfn"
    assert (runtime.most_workers(), runtime.cluster(), runtime.cache_url()) == (None, None, None)


def test_the_cache_may_lie_at_a_url_which_is_never_taken_for_a_folder(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    of_the_user = runtime.cache_folder()
    monkeypatch.setenv("HGFN_CACHE", "s3://bucket/hgfn")
    assert runtime.cache_url() == "s3://bucket/hgfn"
    assert runtime.cache_folder() == of_the_user


@pytest.mark.parametrize(
    ("variable", "allowed"),
    [
        ("HGFN_WORKERS", "a whole number from 1"),
        ("HGFN_DEVICE", "cpu, cuda"),
        ("HGFN_ENGINE", "local, ray"),
        ("RAY_ADDRESS", "host:port of a running cluster"),
        ("HGFN_YTDLP", "a yt-dlp configuration file"),
        ("HGFN_PAUSE", "seconds from 0 to 9999"),
        ("HGFN_CHECKPOINT", "seconds from 0 to 9999"),
        ("HGFN_MEMORY", "a size, as in 500MB, 2GB, 1.5TB"),
        ("HGFN_MIRROR", "an http or https address"),
    ],
)
@pytest.mark.parametrize("value", ["-1", "1e9", "nan", "1 XB", " ", " 2", "²", "CPU", "Local"])
def test_a_bad_value_is_refused_with_what_is_allowed(
    monkeypatch: pytest.MonkeyPatch, variable: str, allowed: str, value: str
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(ValueError, match=re.escape(f"{variable} is {value!r}; allowed: {allowed}")):
        VARIABLES[variable]()


@pytest.mark.parametrize(
    ("variable", "value"),
    [("HGFN_WORKERS", "0"), ("HGFN_WORKERS", "1.5"), ("HGFN_PAUSE", "10000")],
)
def test_a_number_out_of_range_is_refused(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(ValueError, match=f"{variable} is '{value}'; allowed"):
        VARIABLES[variable]()


def test_a_variable_that_is_no_longer_read_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HGFN_COOKIES", "cookies.txt")
    with pytest.raises(ValueError, match="write `--cookies FILE` into a file and name it in HGFN_"):
        runtime.ytdlp_config()
