"""The item cache at a URL: a bucket or another shared store, reached through fsspec."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

from pipeline import runtime
from pipeline.features.cache import ItemCache
from pipeline.features.entry import Entry

# Entries in one request: few enough to hold in memory (20 MB of clips).
AT_ONCE = 64

# Stores whose objects appear whole or not at all; elsewhere a file can be seen half-written.
_OBJECT_STORES = {"s3", "s3a", "gs", "gcs", "abfs", "abfss", "az", "memory"}


class RemoteCache(ItemCache):
    """Entries below a URL that fsspec understands, for example s3://bucket/prefix.

    Credentials come from where the store's own tools look (environment, instance role).
    """

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")
        self.damaged = 0
        self._reach()

    def _reach(self) -> None:
        # A store that does not answer, or lets nobody in, is told before the first item.
        store, path = self._store()
        try:
            store.exists(path)
        except Exception as error:  # each store has kinds of its own
            reason = (str(error).strip() or type(error).__name__).split("\n")[0]
            raise ValueError(f"HGFN_CACHE {self.url} cannot be reached: {reason}") from error

    def get_many(self, keys: Iterable[str]) -> Iterator[tuple[str, Entry | None]]:
        """Yield each key with what `get` gives, in order; `AT_ONCE` are asked for at once."""
        waiting = iter(keys)
        while some := list(itertools.islice(waiting, AT_ONCE)):
            for key, data in zip(some, self._read_many(some), strict=True):
                yield key, self._entry(key, data)

    def __str__(self) -> str:
        return self.url

    @contextmanager
    def marked(self) -> Iterator[str]:
        """Bear a mark meanwhile, by which another machine knows this cache; yields the mark."""
        mark = f"mark-{uuid4().hex}"
        try:
            self._write(mark, b"")
            yield mark
        finally:
            self._drop(mark)

    def renew(self, mark: str) -> None:
        """Do nothing: no mark is taken for left over here."""

    def bears(self, mark: str) -> bool:
        """Tell whether this is the cache that bears a mark."""
        return self._read(mark) is not None

    def clean(self) -> None:
        """Do nothing: who else is writing there cannot be known."""

    def _read(self, key: str) -> bytes | None:
        store, path = self._store(key)
        try:
            return bytes(store.cat_file(path))
        except FileNotFoundError:
            return None

    def _read_many(self, keys: Sequence[str]) -> Iterator[bytes | None]:
        paths = [self._store(key)[1] for key in keys]
        # The whole of each: stores that answer slowly are asked for all of them side by side.
        for data in self._store()[0].cat_ranges(paths, None, None, on_error="return"):
            if isinstance(data, BaseException) and not isinstance(data, FileNotFoundError):
                raise data
            yield None if isinstance(data, FileNotFoundError) else bytes(data)

    def _write(self, key: str, data: bytes) -> None:
        store, path = self._store(key)
        if _OBJECT_STORES.intersection(_protocols(store)):
            store.pipe_file(path, data)
            return
        store.makedirs(store._parent(path), exist_ok=True)
        temporary = f"{store._parent(path)}/.{key}.{uuid4().hex}.part"
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
        # Asked for each time: fsspec keeps the connection, and a cache stays picklable.
        try:
            from fsspec.core import url_to_fs  # type: ignore[import-untyped]

            url = f"{self.url}/{key[:2]}/{key}" if key else self.url
            return url_to_fs(url, **_options(self.url))
        except (ImportError, ValueError) as error:
            raise ValueError(
                f"HGFN_CACHE is {self.url!r}: {error}; "
                'run `pip install "hgfn[scale]"`, or the fsspec package of that store'
            ) from error


def open_cache() -> ItemCache:
    """Open the item cache where HGFN_CACHE says: at a URL, or in a folder."""
    url = runtime.cache_url()
    return RemoteCache(url) if url else ItemCache(runtime.cache_folder())


def _options(url: str) -> dict[str, Any]:
    if url.partition("://")[0] not in ("s3", "s3a"):
        return {}
    from fsspec.config import conf  # type: ignore[import-untyped]

    # botocore would open ten connections, and the others of `AT_ONCE` would wait for them.
    chosen = conf.get("s3", {}).get("config_kwargs", {})
    return {"config_kwargs": {"max_pool_connections": AT_ONCE, **chosen}}


def _protocols(store: Any) -> tuple[str, ...]:
    return (store.protocol,) if isinstance(store.protocol, str) else tuple(store.protocol)
