"""The cache in a bucket, through s3fs, against a store on the loopback address."""

from __future__ import annotations

from collections.abc import Iterator
from http.server import ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import numpy as np
import pytest

from pipeline.features.cache import ItemCache
from pipeline.features.entry import Entry
from pipeline.features.remote_cache import RemoteCache

pytest.importorskip("s3fs", reason="the cache in a bucket needs s3fs")

KEY = "ab" + "0" * 62
ENTRY = Entry(np.arange(12, dtype=np.float32).reshape(3, 4))


@pytest.fixture
def objects(monkeypatch: pytest.MonkeyPatch, beside: None) -> Iterator[dict[str, bytes]]:
    from object_store import ObjectStore

    held: dict[str, bytes] = {}
    monkeypatch.setattr(ObjectStore, "objects", held, raising=False)
    with ThreadingHTTPServer(("127.0.0.1", 0), ObjectStore) as server:
        server.daemon_threads = True
        environment = {
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{server.server_port}",
            "AWS_ACCESS_KEY_ID": "nobody",
            "AWS_SECRET_ACCESS_KEY": "nothing",
            "AWS_EC2_METADATA_DISABLED": "true",
        }
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        Thread(target=server.serve_forever, daemon=True).start()
        yield held
        server.shutdown()


def test_a_bucket_holds_what_a_folder_would_and_drops_what_is_damaged(
    objects: dict[str, bytes], tmp_path: Path
) -> None:
    cache, folder = RemoteCache("s3://bucket/prefix"), ItemCache(tmp_path)
    assert cache.get(KEY) is None
    for place in (cache, folder):
        place.put(KEY, ENTRY)
    assert objects == {f"/bucket/prefix/ab/{KEY}": (tmp_path / "ab" / KEY).read_bytes()}
    found = cache.get(KEY)
    assert found is not None
    assert np.array_equal(found.array, ENTRY.array)
    objects[f"/bucket/prefix/ab/{KEY}"] = b"half of it"
    assert cache.get(KEY) is None
    assert (cache.damaged, objects) == (1, {})
