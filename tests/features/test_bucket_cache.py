"""What a cache at a URL adds: stores that are unknown, unreachable, or fail."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import fsspec
import pytest
from fsspec.implementations.memory import MemoryFileSystem

from pipeline.features.bucket_cache import BucketCache, open_cache

KEY = "ab" + "0" * 62


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


@pytest.mark.parametrize("url", ["memory://x", "file:///tmp/x"])
def test_a_store_that_fails_is_no_cache_without_the_entry(
    monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    def refuse(*arguments: Any, **options: Any) -> bytes:
        raise PermissionError("access denied")

    cache = BucketCache(url)
    store, _ = fsspec.core.url_to_fs(url)
    monkeypatch.setattr(type(store), "cat_file", refuse)
    with pytest.raises(PermissionError):
        list(cache.get_many([KEY]))
