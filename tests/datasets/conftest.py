"""Raw folders of both data sets, tiny and written by hand."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from fractions import Fraction
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import av
import numpy as np
import pytest

from pipeline.datasets.crisismmd import COLUMNS

Row = dict[str, str]


@pytest.fixture
def tweet() -> Callable[..., Row]:
    def make(number: int, photo: int = 0, **values: str) -> Row:
        """One annotation row, as unlike the others as a number can make it."""
        identity = f"{90000 + number}_{photo}"
        row = dict.fromkeys(COLUMNS, "nan")
        row |= {
            "tweet_id": str(90000 + number),
            "image_id": identity,
            "text_info": "informative",
            "image_info": "informative",
            "text_human": "other_relevant_information",
            "image_human": "other_relevant_information",
            "tweet_text": f"message {number} of its own",
            "image_url": f"http://example.org/{identity}.jpg",
            "image_path": f"data_image/flood/1_1_2017/{identity}.jpg",
        }
        assert set(values) <= set(row)
        return row | values

    return make


@pytest.fixture
def write_annotations(tmp_path: Path) -> Callable[..., Path]:
    def write(
        rows: Sequence[Row],
        event: str = "flood",
        columns: Sequence[str] = COLUMNS,
    ) -> Path:
        """Write one event's file; returns the raw folder."""
        file = tmp_path / "raw" / "annotations" / f"{event}_final_data.tsv"
        file.parent.mkdir(parents=True, exist_ok=True)
        lines = ["\t".join(columns), *("\t".join(row[c] for c in columns) for row in rows)]
        file.write_bytes("".join(f"{line}\n" for line in lines).encode())
        return tmp_path / "raw"

    return write


@pytest.fixture
def write_photo() -> Callable[[Path, Row, bytes], None]:
    def write(raw: Path, row: Row, contents: bytes) -> None:
        path = raw / row["image_path"]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(contents)

    return write


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    """An older raw folder, whose files a finished run replaces."""
    folder = tmp_path / "data" / "set" / "raw"
    folder.mkdir(parents=True)
    (folder / "old.txt").write_text("old")
    return folder


@pytest.fixture
def unprivileged() -> Callable[..., subprocess.CompletedProcess[str]]:
    """`unprivileged(code, *arguments)` runs Python without root's right to open every file."""
    alone = ["unshare", "--user"]
    if shutil.which("unshare") is None or subprocess.run([*alone, "true"]).returncode:
        pytest.skip("this machine allows no user namespaces")

    def run(code: str, *arguments: object) -> subprocess.CompletedProcess[str]:
        command = [*alone, sys.executable, "-c", code, *map(str, arguments)]
        return subprocess.run(command, capture_output=True, text=True)

    return run


@pytest.fixture(scope="session")
def film(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Ten seconds of MP4 with sound, index first: frame k, ten a second, has grey 2 k + 5."""
    path = tmp_path_factory.mktemp("film") / "film.mp4"
    with av.open(f"file:{path}", "w", options={"movflags": "faststart"}) as container:
        video = container.add_stream("libx264", rate=10, options={"g": "10", "threads": "1"})
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        sound = container.add_stream("aac", rate=16_000, layout="mono")
        for k in range(100):
            grey = np.full((48, 64, 3), 2 * k + 5, np.uint8)
            container.mux(video.encode(av.VideoFrame.from_ndarray(grey, format="rgb24")))
        container.mux(video.encode(None))
        wave = np.sin(np.arange(160_000) / 10).astype(np.float32)[None] / 4
        for start in range(0, 160_000, 1024):
            frame = av.AudioFrame.from_ndarray(wave[:, start : start + 1024], "fltp", "mono")
            frame.sample_rate, frame.pts, frame.time_base = 16_000, start, Fraction(1, 16_000)
            container.mux(sound.encode(frame))
        container.mux(sound.encode(None))
    return path.read_bytes()


@pytest.fixture
def give() -> Callable[..., Callable[[BaseHTTPRequestHandler], None]]:
    """`give(data)` answers with a clip's bytes as sites do; see its parameters for how not."""

    def make(
        data: bytes = b"",
        status: int = 200,
        ranges: bool = True,
        announced: int | None = None,
        type: str = "video/mp4",
        tag: str = "",
    ) -> Callable[[BaseHTTPRequestHandler], None]:
        def answer(handler: BaseHTTPRequestHandler) -> None:
            asked = re.fullmatch(r"bytes=(\d+)-(\d*)", handler.headers.get("Range", ""))
            part, code = data, status
            if asked and ranges and status == 200:
                first = int(asked[1])
                last = min(int(asked[2] or len(data)), len(data) - 1)
                part, code = data[first : last + 1], 206
            handler.send_response(code)
            if code == 206:
                handler.send_header("Content-Range", f"bytes {first}-{last}/{len(data)}")
            if tag:
                handler.send_header("ETag", tag)
            handler.send_header("Content-Type", type)
            handler.send_header("Content-Length", str(announced or len(part)))
            handler.end_headers()
            with suppress(OSError):  # who only looks at the first bytes hangs up
                handler.wfile.write(part)

        return answer

    return make
