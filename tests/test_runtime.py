from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline import runtime

VARIABLES: dict[str, Callable[[], object]] = {
    "HGFN_WORKERS": runtime.workers,
    "HGFN_DEVICE": runtime.device,
    "HGFN_ENGINE": runtime.engine,
    "HGFN_CACHE": runtime.cache_folder,
    "RAY_ADDRESS": runtime.cluster,
    "HGFN_YTDLP": runtime.ytdlp_config,
    "HGFN_PAUSE": runtime.pause,
    "HGFN_CHECKPOINT": runtime.checkpoint_interval,
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
        ("HGFN_DEVICE", "cpu", "cpu"),
        ("HGFN_DEVICE", "cuda", "cuda"),
        ("HGFN_ENGINE", "local", "local"),
        ("HGFN_ENGINE", "ray", "ray"),
        ("RAY_ADDRESS", "head.node:6379", "head.node:6379"),
        ("HGFN_PAUSE", "0", 0.0),
        ("HGFN_PAUSE", "2.5", 2.5),
        ("HGFN_CHECKPOINT", "0", 0.0),
        ("HGFN_CHECKPOINT", "600", 600.0),
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
    assert VARIABLES[variable]() == unset


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
    ],
)
@pytest.mark.parametrize("value", ["0", "-1", "1.5", "two", " 2", "²", "CPU", "Local"])
def test_a_bad_value_is_refused_with_what_is_allowed(
    monkeypatch: pytest.MonkeyPatch, variable: str, allowed: str, value: str
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(ValueError, match=r".") as caught:
        VARIABLES[variable]()
    assert str(caught.value) == f"{variable} is {value!r}; allowed: {allowed}"


def test_a_variable_that_is_no_longer_read_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HGFN_COOKIES", "cookies.txt")
    with pytest.raises(ValueError, match="write `--cookies FILE` into a file and name it in HGFN_"):
        runtime.ytdlp_config()


@pytest.mark.parametrize("variable", ["HGFN_PAUSE", "HGFN_CHECKPOINT"])
@pytest.mark.parametrize("value", ["-1", "1e9", "10000", "nan", "soon"])
def test_bad_seconds_are_refused(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(ValueError, match=f"{variable} is '{value}'; allowed: seconds from 0"):
        VARIABLES[variable]()
