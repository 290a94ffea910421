"""A clip cache that neither pauses nor waits, and what must not be left in it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from pipeline.datasets.clips.clip_cache import ClipCache, ClipRequest
from pipeline.datasets.clips.failures import ClipError
from pipeline.datasets.clips.ranges import PIECE
from pipeline.datasets.clips.site import read_options


@pytest.fixture
def options(tmp_path: Path) -> Callable[..., dict[str, Any]]:
    """Our options without waits; `options("--retries 0")` adds lines of a user's file."""

    def make(*lines: str) -> dict[str, Any]:
        config = tmp_path / "yt-dlp.conf"
        config.write_text("\n".join(lines))
        return read_options(config, 0.0) | {"retry_sleep_functions": {}}

    return make


@pytest.fixture
def clips(tmp_path: Path, options: Callable[..., dict[str, Any]]) -> ClipCache:
    return ClipCache(tmp_path / "clips", options())


@pytest.fixture
def url(serve: Any, give: Any, film: bytes) -> str:
    """Address of the film on a server that sends pieces."""
    return f"{serve(give(film)).url}/film.mp4"


@pytest.fixture
def refused(clips: ClipCache) -> Callable[..., tuple[str, str]]:
    """Fetch a clip that must not come, of which nothing may be left; returns kind and message."""

    def fetch(request: ClipRequest, cache: ClipCache = clips) -> tuple[str, str]:
        with pytest.raises(ClipError) as caught:
            cache.fetch(request)
        files = [path for path in clips.folder.rglob("*") if path.is_file()]
        assert {path.suffix for path in files} <= {".lock"}
        return caught.value.kind, str(caught.value)

    return fetch


@pytest.fixture(scope="session")
def large_film(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Thirty seconds of noise as MP4, index first: several pieces long."""
    path = tmp_path_factory.mktemp("large") / "film.mp4"
    random = np.random.default_rng(0)
    with av.open(f"file:{path}", "w", options={"movflags": "faststart"}) as film:
        options = {"g": "10", "threads": "1", "preset": "ultrafast"}
        stream = film.add_stream("libx264", rate=10, options=options)
        stream.width, stream.height, stream.pix_fmt = 160, 120, "yuv420p"
        for _ in range(300):
            noise = random.integers(0, 255, (120, 160, 3), np.uint8)
            film.mux(stream.encode(av.VideoFrame.from_ndarray(noise, format="rgb24")))
        film.mux(stream.encode(None))
    data = path.read_bytes()
    assert len(data) > 7 * PIECE
    return data
