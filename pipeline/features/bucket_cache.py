"""The item cache at a URL: a bucket or another shared store, reached through fsspec."""

from __future__ import annotations

import itertools
import posixpath
from collections.abc import Iterable, Iterator, Sequence
from typing import Any
from uuid import uuid4

from pipeline import runtime
from pipeline.features.cache import Entry, ItemCache

# Entries in one request: few enough to hold in memory (20 MB of clips).
AT_ONCE = 64

# Stores that write objects atomically; elsewhere a half-written file may be read.
_OBJECT_STORES = {"s3", "s3a", "gs", "gcs", "abfs", "abfss", "az", "memory"}


def open_cache() -> ItemCache:
    """Open the item cache at HGFN_CACHE: a URL or a folder."""
    url = runtime.cache_url()
    return BucketCache(url) if url else ItemCache(runtime.cache_folder())


class BucketCache(ItemCache):
    """Entries below a URL that fsspec supports, for example s3://bucket/prefix.

    Credentials are found as by the store's own tools (environment, instance role). Raises
    ValueError if the store is unknown or cannot be reached.
    """

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")
        store, path = self._store()
        try:
            store.exists(path)
        except Exception as error:  # each store has exceptions of its own
            reason = (str(error).strip() or type(error).__name__).split("\n")[0]
            raise ValueError(f"HGFN_CACHE {self.url} cannot be reached: {reason}") from error

    def __str__(self) -> str:
        return self.url

    def get_many(self, keys: Iterable[str]) -> Iterator[tuple[str, Entry | None]]:
        """Yield each key with its entry, in order; requests `AT_ONCE` entries together."""
        remaining = iter(keys)
        while group := list(itertools.islice(remaining, AT_ONCE)):
            for key, data in zip(group, self._read_many(group), strict=True):
                yield key, self._checked(key, data)

    def clean(self) -> None:
        """Do nothing: a store's unfinished writes are not visible."""

    def _read(self, key: str) -> bytes | None:
        return next(self._read_many([key]))

    def _read_many(self, keys: Sequence[str]) -> Iterator[bytes | None]:
        paths = [self._store(key)[1] for key in keys]
        # Whole files; a store that answers slowly reads them side by side.
        for data in self._store()[0].cat_ranges(paths, None, None, on_error="return"):
            if isinstance(data, BaseException) and not isinstance(data, FileNotFoundError):
                raise data
            yield None if isinstance(data, FileNotFoundError) else bytes(data)

    def _write(self, key: str, data: bytes) -> None:
        store, path = self._store(key)
        protocols = (store.protocol,) if isinstance(store.protocol, str) else store.protocol
        if _OBJECT_STORES.intersection(protocols):
            store.pipe_file(path, data)
            return
        folder = posixpath.dirname(path)
        store.makedirs(folder, exist_ok=True)
        temporary = f"{folder}/.{key}.{uuid4().hex}.part"
        try:
            store.pipe_file(temporary, data)
            store.mv(temporary, path)
        except BaseException:
            if store.exists(temporary):
                store.rm_file(temporary)
            raise

    def _drop(self, key: str) -> None:
        store, path = self._store(key)
        if store.exists(path):
            store.rm_file(path)

    def _store(self, key: str = "") -> tuple[Any, str]:
        # Looked up each time: fsspec keeps the connection, and the cache stays picklable.
        try:
            from fsspec.core import url_to_fs  # type: ignore[import-untyped]

            url = f"{self.url}/{key[:2]}/{key}" if key else self.url
            return url_to_fs(url, **_options(self.url))
        except (ImportError, ValueError) as error:
            raise ValueError(
                f"HGFN_CACHE is {self.url!r}: {error}; "
                'run `pip install "hgfn[scale]"`, or the fsspec package of that store'
            ) from error


def _options(url: str) -> dict[str, Any]:
    if not url.startswith(("s3://", "s3a://")):
        return {}
    from fsspec.config import conf  # type: ignore[import-untyped]

    # botocore opens ten connections by default; the rest of `AT_ONCE` would wait for them.
    chosen = conf.get("s3", {}).get("config_kwargs", {})
    return {"config_kwargs": {"max_pool_connections": AT_ONCE, **chosen}}
