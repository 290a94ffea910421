"""The cache in a bucket, through s3fs, against a store on the loopback address."""

from __future__ import annotations

from collections.abc import Iterator
from http.server import ThreadingHTTPServer
from pathlib import Path
from threading import Barrier, Thread

import numpy as np
import pytest

from pipeline.features.bucket_cache import AT_ONCE, BucketCache
from pipeline.features.cache import Entry, ItemCache

s3fs = pytest.importorskip("s3fs", reason="the cache in a bucket needs s3fs")

KEY = "ab" + "0" * 62
ENTRY = Entry(np.arange(12, dtype=np.float32).reshape(3, 4))


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = AT_ONCE  # by default all but five connections would wait or be refused


@pytest.fixture
def objects(monkeypatch: pytest.MonkeyPatch, beside: None) -> Iterator[dict[str, bytes]]:
    from object_store import ObjectStore

    stored: dict[str, bytes] = {}
    monkeypatch.setattr(ObjectStore, "objects", stored, raising=False)
    with Server(("127.0.0.1", 0), ObjectStore) as server:
        environment = {
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{server.server_port}",
            "AWS_ACCESS_KEY_ID": "nobody",
            "AWS_SECRET_ACCESS_KEY": "nothing",
            "AWS_EC2_METADATA_DISABLED": "true",
        }
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        s3fs.S3FileSystem.clear_instance_cache()  # one of another test asks that one's store
        Thread(target=server.serve_forever, daemon=True).start()
        yield stored
        server.shutdown()


def test_a_bucket_holds_what_a_folder_would_and_drops_what_is_damaged(
    objects: dict[str, bytes], tmp_path: Path
) -> None:
    cache, folder = BucketCache("s3://bucket/prefix"), ItemCache(tmp_path)
    assert cache.get(KEY) is None
    for place in (cache, folder):
        place.put(KEY, ENTRY)
    assert objects == {f"/bucket/prefix/ab/{KEY}": (tmp_path / "ab" / KEY).read_bytes()}
    entry = cache.get(KEY)
    assert entry is not None
    assert np.array_equal(entry.array, ENTRY.array)
    objects[f"/bucket/prefix/ab/{KEY}"] = b"half of it"
    assert cache.get(KEY) is None
    assert (cache.damaged, objects) == (1, {})


def test_entries_of_a_bucket_are_read_side_by_side(
    objects: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    from object_store import ObjectStore

    cache, keys = BucketCache("s3://bucket/prefix"), [f"{k:064x}" for k in range(AT_ONCE)]
    for key in keys[:4]:
        cache.put(key, ENTRY)
    all_here, answer, requests = Barrier(len(keys)), ObjectStore.do_GET, list[str]()

    def wait_for_all(store: ObjectStore) -> None:
        requests.append(store.path)
        all_here.wait(30)  # one after the other they would never come together
        answer(store)

    monkeypatch.setattr(ObjectStore, "do_GET", wait_for_all)
    entries = list(cache.get_many(keys))
    assert [key for key, _ in entries] == keys
    assert [entry is None for _, entry in entries] == [False] * 4 + [True] * (AT_ONCE - 4)
    assert len(requests) == len(keys)
