"""Errors of a medium, and a machine without memory against a file that asks for too much."""

from __future__ import annotations

import pickle
import resource
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable
from itertools import starmap
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipeline.media import MediaError, read_photo, read_waveform, sample_frames
from pipeline.media.errors import explain_memory

WriteClip = Callable[..., Path]


def test_kind_and_message_survive_the_way_between_processes() -> None:
    error = pickle.loads(pickle.dumps(MediaError("truncated", "a.jpg: ends early")))
    assert (error.kind, str(error)) == ("truncated", "a.jpg: ends early")


@pytest.fixture
def greedy(write_clip: WriteClip) -> Path:
    """A clip whose header states two thousand million frame times."""
    path = write_clip("greedy.mp4", [0.0, 0.1])
    data = path.read_bytes()
    path.write_bytes(data.replace(b"stts\0\0\0\0\0", b"stts\0\0\0\0\x7f"))
    return path


@pytest.mark.parametrize("read", [sample_frames, read_waveform])
def test_a_header_that_asks_for_too_much_is_the_files_failure(
    greedy: Path, read: Callable[[Path], object]
) -> None:
    with pytest.raises(MediaError, match=r"greedy.mp4: asks for more memory") as caught:
        read(greedy)
    assert caught.value.kind == "decode_failed"


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "photo.png"
    Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(path)
    return path


@pytest.fixture
def wide(tmp_path: Path) -> Path:
    """A photo of a few bytes, for which Pillow's decoder reports that memory ran out."""
    path = tmp_path / "wide.png"
    header = struct.pack(">IIBBBBB", 80_000_000, 1, 16, 6, 0, 0, 0)
    chunks = {b"IHDR": header, b"IDAT": zlib.compress(b""), b"IEND": b""}
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(starmap(chunk, chunks.items())))
    return path


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def test_a_photo_too_wide_for_its_decoder_is_the_files_failure(wide: Path) -> None:
    with pytest.raises(MediaError, match=r"wide.png: asks for more memory") as caught:
        read_photo(wide)
    assert caught.value.kind == "decode_failed"


@pytest.mark.skipif(sys.platform != "linux", reason="needs a limit of memory")
@pytest.mark.parametrize("by_decoder", [False, True])
def test_no_memory_left_is_the_machines_failure_whoever_reports_it(by_decoder: bool) -> None:
    limits = resource.getrlimit(resource.RLIMIT_AS)
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + (1 << 30), limits[1]))
    message = r"^clip\.mp4: no memory left to read it; use fewer HGFN_WORKERS"
    try:
        with pytest.raises(MemoryError, match=message):
            run_out_of_memory(by_decoder)
    finally:
        resource.setrlimit(resource.RLIMIT_AS, limits)


def test_with_memory_left_a_decoders_report_is_the_files_failure() -> None:
    with pytest.raises(MediaError) as caught:
        run_out_of_memory(by_decoder=True)
    assert caught.value.kind == "decode_failed"
    with pytest.raises(MemoryError):
        run_out_of_memory(by_decoder=False)


def run_out_of_memory(by_decoder: bool) -> None:
    with explain_memory(Path("clip.mp4"), by_decoder):
        raise MemoryError


SCRIPT = """
import resource, sys
from pipeline.media import read_photo, sample_frames
for read, path in ((read_photo, sys.argv[1]), (sample_frames, sys.argv[2])):
    read(sys.argv[3]) if read is read_photo else read(sys.argv[4])  # what is loaded at first use
    used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
    limits = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (used + (40 << 20), limits[1]))
    try:
        read(path)
    except Exception as error:
        kind = type(error).__name__
    resource.setrlimit(resource.RLIMIT_AS, limits)
    print(kind)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="needs a limit of memory")
def test_a_process_without_memory_blames_no_file(
    tmp_path: Path, photo: Path, write_clip: WriteClip
) -> None:
    large = tmp_path / "large.png"
    Image.new("RGB", (5000, 5000)).save(large)
    clips = [
        write_clip(f"{size}.mp4", [0.0, 0.1], size=(size, size), options={"preset": "ultrafast"})
        for size in (4000, 64)
    ]
    command = [sys.executable, "-c", SCRIPT, large, clips[0], photo, clips[1]]
    ran = subprocess.run(command, capture_output=True, text=True, check=True)
    assert ran.stdout.split() == ["MemoryError", "MemoryError"]
