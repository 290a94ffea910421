"""A stream is cut off where it ends before its own stated end, and only there."""

from __future__ import annotations

import re
import struct
from pathlib import Path
from typing import Any

import pytest
from films import write_film

from pipeline.media import MediaError, read_waveform, sample_frames

# Of each film: end of the sound and of the picture in seconds.
UNCUT: dict[str, tuple[float, float, dict[str, Any]]] = {
    "sound 0.2 s shorter": (5.75, 6, {}),
    "sound 5 s shorter": (1, 6, {}),
    "sound longer": (6, 1, {}),
    "begins at 10 s": (16, 16, {"begin": 10}),
    "live, without a duration": (3, 3, {"live": "1"}),
    "fragments": (3, 3, {"movflags": "frag_keyframe+empty_moov"}),
}
NAMES = ("a.mp4", "a.mkv", "a.webm", "a.flv", "a.ts", "a.mov")


def film(path: Path, sound: float, picture: float, begin: float = 0, **options: Any) -> Path:
    codec = "libopus" if path.suffix == ".webm" else "aac"
    rate = 44_100 if path.suffix == ".flv" else 48_000
    return write_film(path, [(begin, sound, 440.0)], (begin, picture), codec, rate, **options)


@pytest.mark.parametrize("kind", UNCUT)
@pytest.mark.parametrize("name", NAMES)
def test_a_whole_file_is_not_truncated(tmp_path: Path, name: str, kind: str) -> None:
    sound, picture, options = UNCUT[kind]
    path = film(tmp_path / name, sound, picture, **options)
    assert not read_waveform(path).truncated
    assert not sample_frames(path, 3).truncated


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("subtitle.mkv", {"subtitle": (1, 8)}),
        # Its index counts from time 0; pictures begin at 0.4 s.
        ("indexed_fragments.mp4", {"fps": 5, "movflags": "frag_keyframe+dash"}),
    ],
)
def test_an_end_of_something_else_does_not_count(
    tmp_path: Path, name: str, options: dict[str, Any]
) -> None:
    path = film(tmp_path / name, 3, 3, **options)
    assert not read_waveform(path).truncated
    assert not sample_frames(path, 3).truncated


def test_an_edit_that_leaves_the_end_out_does_not_count(tmp_path: Path) -> None:
    path = film(tmp_path / "a.mp4", 7, 7, begin=1)
    content = bytearray(path.read_bytes())
    for edits in re.finditer(b"elst", bytes(content)):  # nothing for 1 s, then all of the stream
        struct.pack_into(">I", content, edits.end() + 20, 2_000)
    path.write_bytes(content)
    sound = read_waveform(path)
    assert sound.samples.size / sound.rate == pytest.approx(2, abs=0.05)
    assert not sound.truncated
    assert not sample_frames(path, 3).truncated


@pytest.mark.parametrize("name", ["short_audio.mp4", "subs.mkv"])
def test_the_given_whole_files_are_not_truncated(shared_data: Path, name: str) -> None:
    path = shared_data / "faults" / "truncated" / name
    assert not read_waveform(path).truncated
    assert not sample_frames(path, 3).truncated


FASTSTART = {"movflags": "faststart"}


@pytest.mark.parametrize("begin", [0, 10])
@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.webm", "a.flv"])
def test_a_cut_file_is_truncated_in_sound_and_picture(
    tmp_path: Path, name: str, begin: float
) -> None:
    options = FASTSTART if name == "a.mp4" else {}
    path = film(tmp_path / name, begin + 6, begin + 6, begin, **options)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) * 2 // 3])
    assert read_waveform(path).truncated
    assert sample_frames(path, 3).truncated


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv"])
def test_a_stream_that_was_complete_before_the_cut_is_not_truncated(
    tmp_path: Path, name: str
) -> None:
    path = film(tmp_path / name, 1, 9, **(FASTSTART if name == "a.mp4" else {}))
    content = path.read_bytes()
    path.write_bytes(content[: len(content) * 9 // 10])
    assert not read_waveform(path).truncated
    assert sample_frames(path, 3).truncated


def test_a_cut_before_the_first_sound_is_no_file_without_sound(tmp_path: Path) -> None:
    path = write_film(tmp_path / "a.mp4", [(8, 9, 440.0)], (0, 9), **FASTSTART)
    content = path.read_bytes()
    path.write_bytes(content[: content.index(b"mdat") + 1000])
    with pytest.raises(MediaError, match="no sound between") as caught:
        read_waveform(path)
    assert caught.value.kind == "truncated"


def test_without_ends_of_its_streams_the_longest_one_of_a_file_is_judged(tmp_path: Path) -> None:
    path = film(tmp_path / "a.mkv", 2, 6)
    content = path.read_bytes().replace(b"DURATION", b"CURATION")
    path.write_bytes(content)
    assert not read_waveform(path).truncated
    assert not sample_frames(path, 3).truncated
    path.write_bytes(content[: len(content) * 2 // 3])
    assert read_waveform(path).truncated
    assert sample_frames(path, 3).truncated
