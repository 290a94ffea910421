"""Clips through the networks that users have: proxies, authorities, providers, segments.

What is trusted and which plugins there are is decided once a process: such a clip is fetched in a
process of its own.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import av
import numpy as np
import pytest

from pipeline.datasets.clips.clip_cache import ClipCache, ClipRequest
from pipeline.datasets.clips.cut import measure
from pipeline.datasets.clips.failures import ClipError
from pipeline.inputs.certificates import CURE_TLS
from pipeline.media.video import sample_frames

FETCH = """
import sys
from pathlib import Path
from pipeline.datasets.download import fill_raw
fill_raw("youtube", sys.argv[1], Path(sys.argv[2]))
"""


@pytest.fixture
def fetch(tmp_path: Path) -> Callable[..., None]:
    """`fetch(url, SSL_CERT_FILE=...)` fetches two seconds in a process of its own."""

    def run(url: str, *before: str, **variables: object) -> None:
        ours = ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
        rest = {n: v for n, v in os.environ.items() if n not in ours and "proxy" not in n.lower()}
        (tmp_path / "conf").write_text("--retries 0")
        manifest = tmp_path / "manifest.csv"
        manifest.write_text(f"id,source,start,end,description,flood\na,{url},2,4,,1\n")
        root = str(Path(__file__).resolve().parents[3])
        environment = {
            **rest,
            "HGFN_CACHE": str(tmp_path / "cache"),
            "HGFN_YTDLP": str(tmp_path / "conf"),
            "PYTHONPATH": root,
            **{name: str(value) for name, value in variables.items()},
        }
        command = [*before, sys.executable, "-c", FETCH, str(manifest), str(tmp_path / "raw")]
        ended = subprocess.run(command, env=environment, capture_output=True, text=True)
        assert ended.returncode == 0, ended.stderr
        assert (tmp_path / "raw" / "clips" / "a.mkv").is_file()

    return run


def test_an_authority_in_requests_bundle_is_trusted(
    serve: Any, give: Any, film: bytes, authority: Any, fetch: Any
) -> None:
    site = serve(give(film), tls=authority.tls)
    fetch(f"{site.url}/film.mp4", REQUESTS_CA_BUNDLE=authority.file)


def test_an_unknown_authority_is_refused_at_once_with_the_cure(
    serve: Any, give: Any, film: bytes, authority: Any, refused: Any
) -> None:
    site = serve(give(film), tls=authority.tls)
    kind, message = refused(ClipRequest(f"{site.url}/film.mp4"))
    assert kind == "network"
    assert "certificate verify failed" in message
    assert message.endswith(f"; {CURE_TLS}")


def test_an_authority_in_the_systems_store_is_trusted(
    serve: Any, give: Any, film: bytes, authority: Any, fetch: Any, in_systems_store: list[str]
) -> None:
    fetch(f"{serve(give(film), tls=authority.tls).url}/film.mp4", *in_systems_store)


def test_https_proxy_resolves_names_and_an_authority_in_a_file_is_trusted(
    serve: Any, give: Any, film: bytes, authority: Any, fetch: Any, proxy: Any
) -> None:
    port = urlsplit(serve(give(film), tls=authority.tls).url).port
    variables = {"HTTPS_PROXY": f"http://127.0.0.1:{proxy.server_port}"}
    url = f"https://files.invalid:{port}/film.mp4"
    fetch(url, SSL_CERT_FILE=authority.file, **variables)
    assert set(proxy.requested) == {f"files.invalid:{port}"}


def test_http_proxy_resolves_names_and_no_proxy_goes_around_it(
    clips: ClipCache, serve: Any, give: Any, film: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy, site = serve(give(film)), serve(give(film))
    for name in ("HTTP_PROXY", "http_proxy"):
        monkeypatch.setenv(name, proxy.url)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.delenv("no_proxy", raising=False)
    assert clips.fetch(ClipRequest("http://films.invalid/film.mp4", 2.0, 4.0))
    assert set(proxy.paths) == {"http://films.invalid/film.mp4"}
    count = len(proxy.paths)
    assert clips.fetch(ClipRequest(f"{site.url}/film.mp4", 2.0, 4.0))
    assert (len(proxy.paths), set(site.paths)) == (count, {"/film.mp4"})


PLUGIN = """
from yt_dlp.extractor.common import InfoExtractor
class FilmIE(InfoExtractor):
    _VALID_URL = r"https?://film\\.test/(?P<id>\\w+)"
    def _real_extract(self, url):
        answer = self._download_json("{provider}/token", "a")
        return {{"id": "a", "title": "a", "url": "{site}/film.mp4?token=" + answer["token"]}}
"""


def test_a_plugin_may_ask_a_provider_on_this_machine(
    serve: Any, give: Any, film: bytes, fetch: Any, tmp_path: Path
) -> None:
    site, provider = serve(give(film)), serve(json.dumps({"token": "secret"}).encode())
    folder = tmp_path / "plugins" / "yt_dlp_plugins" / "extractor"
    folder.mkdir(parents=True)
    (folder / "film.py").write_text(PLUGIN.format(provider=provider.url, site=site.url))
    root = Path(__file__).resolve().parents[3]
    path = os.pathsep.join([str(root), str(tmp_path / "plugins")])
    fetch("https://film.test/a", PYTHONPATH=path)
    assert provider.paths == ["/token"]
    assert set(site.paths) == {"/film.mp4?token=secret"}


def segments(folder: Path) -> list[bytes]:
    """Ten seconds in two files of MPEG-TS: frame k, ten a second, has grey 2 k + 5."""
    options = {"segment_time": "5", "segment_format": "mpegts"}
    with av.open(f"{folder}/%d.ts", "w", format="segment", options=options) as output:
        stream = output.add_stream("libx264", rate=10, options={"g": "50", "threads": "1"})
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for k in range(100):
            grey = np.full((48, 64, 3), 2 * k + 5, np.uint8)
            frame = av.VideoFrame.from_ndarray(grey, format="rgb24")
            frame.pts, frame.time_base = k, Fraction(1, 10)
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    return [(folder / f"{number}.ts").read_bytes() for number in range(2)]


def test_segments_of_a_playlist_are_joined_and_cut(
    clips: ClipCache, serve: Any, give: Any, film: bytes, tmp_path: Path
) -> None:
    playlist = "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:5\n#EXT-X-MEDIA-SEQUENCE:0\n"
    playlist += "#EXTINF:5,\n0.ts\n#EXTINF:5,\n1.ts\n#EXT-X-ENDLIST\n"
    first, second = segments(tmp_path)
    answers = {
        "/film.m3u8": give(playlist.encode(), type="application/vnd.apple.mpegurl"),
        "/0.ts": give(first, type="video/mp2t"),
        "/1.ts": give(second, type="video/mp2t"),
    }
    site = serve(lambda handler: answers[handler.path](handler))
    request = ClipRequest(f"{site.url}/film.m3u8", 3.0, 7.0)
    clip = clips.fetch(request)
    (tmp_path / "film.mp4").write_bytes(film)
    expected = sample_frames(tmp_path / "film.mp4", 5, 3.0, 7.0).frames
    frames = sample_frames(clip.path, 5, *clip.span(request)).frames
    assert np.abs(frames.astype(int) - expected).max() <= 2
    whole = clips.fetch(ClipRequest(request.url))
    assert measure(whole.path).picture == pytest.approx(10.0, abs=0.1)
    # A segment that does not come is no gap in a clip.
    answers["/1.ts"] = give(status=404)
    with pytest.raises(ClipError, match="404"):
        clips.fetch(ClipRequest(f"{site.url}/film.m3u8", 1.0, 2.0))


def test_a_browser_is_impersonated_where_curl_cffi_is_installed(
    serve: Any, give: Any, film: bytes, options: Any, tmp_path: Path
) -> None:
    pytest.importorskip("curl_cffi")
    site = serve(give(film))
    clips = ClipCache(tmp_path / "clips", options("--impersonate chrome"))
    clips.fetch(ClipRequest(f"{site.url}/film.mp4", 2.0, 4.0))
    agents = [{k.lower(): v for k, v in headers.items()}["user-agent"] for headers in site.asked]
    assert all("Chrome/" in agent for agent in agents)
    assert len(site.asked) > 1
