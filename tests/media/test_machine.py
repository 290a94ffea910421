"""Memory that does not suffice is told from a file that asks for too much of it."""

from __future__ import annotations

import struct
import subprocess
import sys
import zlib
from collections.abc import Callable
from itertools import starmap
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFile

from pipeline.features import steps
from pipeline.features.recipe import Item
from pipeline.features.visual import PhotoRecipe
from pipeline.media import MediaError, machine, read_photo, read_waveform, sample_frames

WriteClip = Callable[..., Path]

NO_MACHINE_HAS = 2**62


@pytest.fixture
def greedy(write_clip: WriteClip) -> Path:
    """A clip whose header states two thousand million times."""
    path = write_clip("greedy.mp4", [0.0, 0.1])
    data = path.read_bytes()
    path.write_bytes(data.replace(b"stts\0\0\0\0\0", b"stts\0\0\0\0\x7f"))
    return path


@pytest.mark.parametrize("read", [sample_frames, read_waveform])
def test_a_header_that_asks_for_too_much_is_the_files_fault(
    greedy: Path, read: Callable[[Path], object]
) -> None:
    with pytest.raises(MediaError, match=r"greedy.mp4: asks for more memory") as caught:
        read(greedy)
    assert caught.value.kind == "decode_failed"


def test_the_same_is_the_machines_where_it_has_little(
    greedy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine, "_MOST", NO_MACHINE_HAS)
    with pytest.raises(MemoryError, match=r"greedy.mp4: no memory left.*HGFN_WORKERS"):
        sample_frames(greedy)


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "photo.png"
    Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(path)
    return path


@pytest.fixture
def wide(tmp_path: Path) -> Path:
    """A photo of a few bytes, of which Pillow's decoder says that memory ran out."""
    path = tmp_path / "wide.png"
    header = struct.pack(">IIBBBBB", 80_000_000, 1, 16, 6, 0, 0, 0)
    chunks = {b"IHDR": header, b"IDAT": zlib.compress(b""), b"IEND": b""}
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(starmap(chunk, chunks.items())))
    return path


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def test_a_photo_too_wide_for_its_decoder_is_the_files_fault(wide: Path) -> None:
    with pytest.raises(MediaError, match=r"wide.png: asks for more memory") as caught:
        read_photo(wide)
    assert caught.value.kind == "decode_failed"


def test_such_a_photo_ends_no_extraction(wide: Path) -> None:
    reader = PhotoRecipe(Path("no weights are read"), 80).reader()
    found = steps.read(reader, Item("wide", path=wide))
    assert found.fault is not None
    assert (found.input, found.fault[0]) == (None, "decode_failed")


@pytest.mark.parametrize(
    ("most", "error"), [(1, MediaError), (NO_MACHINE_HAS, MemoryError)], ids=["much", "little"]
)
@pytest.mark.parametrize(
    "said", [MemoryError(), OSError(f"{Image.core.getcodecstatus(-9)} when reading image file")]
)
def test_a_photos_decoder_without_memory_is_judged_by_what_the_machine_has(
    photo: Path,
    monkeypatch: pytest.MonkeyPatch,
    said: Exception,
    most: int,
    error: type[Exception],
) -> None:
    def load(image: ImageFile.ImageFile) -> None:
        raise said

    monkeypatch.setattr(ImageFile.ImageFile, "load", load)
    monkeypatch.setattr(machine, "_MOST", most)
    with pytest.raises(error, match="memory"):
        read_photo(photo)


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
