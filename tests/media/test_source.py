"""A failing disk is never taken for a damaged file."""

from __future__ import annotations

import errno
import io
import sys
from collections.abc import Callable
from io import FileIO
from pathlib import Path

import pytest

from pipeline.media import read_photo, read_waveform, sample_frames
from pipeline.media.container import Source

WriteClip = Callable[..., Path]


def disk_that_fails_at(place: int, code: int) -> type[FileIO]:
    class Failing(FileIO):
        def read(self, size: int = -1) -> bytes:
            if self.tell() >= place:
                raise OSError(code, "the disk failed")
            return super().read(min(size, place - self.tell()))

    return Failing


@pytest.mark.skipif(sys.platform != "linux", reason="needs a file that cannot be read")
@pytest.mark.parametrize("read", [read_photo, sample_frames, read_waveform])
def test_a_file_that_cannot_be_read_is_named_with_the_cure(
    tmp_path: Path, read: Callable[[Path], object]
) -> None:
    path = tmp_path / "unreadable"
    path.symlink_to("/proc/self/mem")  # nothing is at its address 0
    with pytest.raises(OSError, match=r"repair it and run again.*unreadable") as caught:
        read(path)
    assert caught.value.errno == errno.EIO


@pytest.mark.parametrize("share", [0.0, 0.3, 0.6, 0.95])
@pytest.mark.parametrize(
    ("name", "codec"),
    [("a.mp4", "libx264"), ("a.mkv", "libx264"), ("a.ts", "libx264"), ("a.avi", "mpeg4")],
)
def test_a_disk_that_fails_midway_raises_and_no_frame_is_made_up(
    write_clip: WriteClip, monkeypatch: pytest.MonkeyPatch, name: str, codec: str, share: float
) -> None:
    path = write_clip(name, [k / 10 for k in range(40)], codec=codec, options={"g": "4"})
    place = int(path.stat().st_size * share)
    monkeypatch.setattr(io, "FileIO", disk_that_fails_at(place, errno.EIO))
    with pytest.raises(OSError, match="the disk failed") as caught:
        sample_frames(path, 4)
    assert (caught.value.errno, caught.value.filename) == (errno.EIO, str(path))


def test_a_disk_that_fails_at_the_second_reading_raises(
    write_clip: WriteClip, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_clip("old.avi", [k / 10 for k in range(40)], codec="mpeg4", options={"bf": "2"})
    opened = []

    def disk(file: Path) -> FileIO:
        opened.append(file)
        place = 0 if len(opened) > 2 else path.stat().st_size + 1
        return disk_that_fails_at(place, errno.EIO)(file)

    monkeypatch.setattr(io, "FileIO", disk)
    with pytest.raises(OSError, match="the disk failed"):
        sample_frames(path, 4)
    assert len(opened) == 3


def test_sound_whose_disk_fails_midway_raises(
    shared_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = shared_data / "media" / "audio" / "sine_mono_s16.wav"
    monkeypatch.setattr(io, "FileIO", disk_that_fails_at(90_000, errno.EIO))
    with pytest.raises(OSError, match="the disk failed"):
        read_waveform(path)


@pytest.mark.parametrize("code", [errno.EMFILE, errno.ENFILE, errno.ESTALE])
def test_a_file_that_cannot_be_opened_raises(
    write_clip: WriteClip, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    def refuse(path: Path) -> FileIO:
        raise OSError(code, "refused", str(path))

    monkeypatch.setattr(io, "FileIO", refuse)
    with pytest.raises(OSError, match="refused") as caught:
        sample_frames(write_clip("clip.mp4", [0.0]), 1)
    assert caught.value.errno == code


def test_a_position_before_the_beginning_is_no_error_of_the_disk(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"abc")
    with FileIO(path) as file:
        source = Source(file, path)
        assert source.seek(-5, 2) < 0
        assert source.seek(-2, 2) == source.tell() == 1
        assert source.read(9) == b"bc"
        assert source.error is None
