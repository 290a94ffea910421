from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pipeline.media import MediaError, sample_frames
from pipeline.media.video import nearest_frames

Numbers = Callable[[np.ndarray], list[int]]
WriteClip = Callable[..., Path]

# Height, width and whether the file is damaged.
CLIPS = {
    "av1_video.mkv": (360, 640, False),
    "big_buck_bunny_432_433.webm": (720, 1280, False),
    "cockatoo.mp4": (720, 1280, False),
    "corrupted.mp4": (720, 1280, True),
    "example.mp4": (480, 640, False),
    "flipping_a_pancake.mkv": (240, 426, False),
    "h264_10bits.mp4": (200, 200, False),
    "h265_video.mp4": (128, 128, False),
    "nasa_13013.mp4": (270, 480, False),
    "realshort.mp4": (240, 320, False),
    "video_90.mov": (568, 320, False),
}
VARIABLE = [0.0, 0.1, 0.2, 0.9, 1.0, 2.5, 2.6, 2.7, 6.0, 8.0]


def brute_force(seconds: np.ndarray, count: int) -> list[int]:
    span = seconds[-1] - seconds[0]
    centres = [seconds[0] + (k + 0.5) / count * span for k in range(count)]
    return [int(np.argmin(np.abs(seconds - centre))) for centre in centres]


def test_every_real_clip_has_an_expected_outcome(shared_data: Path) -> None:
    folder = shared_data / "media" / "video"
    assert {path.name for path in folder.iterdir() if path.is_file()} == CLIPS.keys()


@pytest.mark.parametrize("name", CLIPS)
def test_real_clips_give_upright_frames_in_order(shared_data: Path, name: str) -> None:
    height, width, truncated = CLIPS[name]
    clip = sample_frames(shared_data / "media" / "video" / name, count=6)
    assert clip.frames.shape == (6, height, width, 3)
    assert clip.frames.dtype == np.uint8
    assert clip.truncated is truncated
    assert (np.diff(clip.times) >= 0).all()
    assert clip.frames.std() > 5  # a picture, not one colour


def test_frames_equal_ffmpegs(shared_data: Path) -> None:
    folder = shared_data / "media" / "video"
    name = "nasa_13013.mp4"  # two video streams; the better one is the second, stream 3
    clip = sample_frames(folder / name, count=390)
    table = json.loads((folder / "expected" / f"{name}.stream3.all_frames_info.json").read_text())
    assert np.allclose(clip.times, [float(row["pts_time"]) for row in table], atol=1e-6)
    for number in (0, 1, 2, 5, 9, 15, 20, 35):
        path = folder / "expected" / f"{name}.stream3.frame{number:06d}.pt"
        expected = torch.load(path, weights_only=True).numpy().astype(int)
        assert np.abs(clip.frames[number] - expected).mean() < 1


UNCUT = [
    *("nasa_13013.mp4", "flipping_a_pancake.mkv", "cockatoo.mp4"),
    *("h265_video.mp4", "av1_video.mkv", "big_buck_bunny_432_433.webm"),
]


@pytest.mark.parametrize("count", [5, 17])
@pytest.mark.parametrize("name", UNCUT)
def test_leaving_packets_and_unneeded_frames_out_changes_no_frame(
    shared_data: Path, name: str, count: int
) -> None:
    path = shared_data / "media" / "video" / name
    clip = sample_frames(path, count)
    with av.open(str(path)) as container:
        stream = container.streams.best("video")
        requested = set(clip.times.round(3))
        decoded = {
            round(frame.time, 3): frame.to_ndarray(format="rgb24")
            for frame in container.decode(stream)
            if round(frame.time, 3) in requested
        }
    for time, frame in zip(clip.times, clip.frames, strict=True):
        assert np.array_equal(decoded[round(time, 3)], frame)


@pytest.mark.parametrize("count", [1, 3, 7, 40])
@pytest.mark.parametrize(
    ("name", "codec", "options"),
    [
        ("vfr.mp4", "libx264", {"bf": "3", "g": "4", "crf": "1"}),
        ("open.mkv", "libx264", {"bf": "3", "g": "4", "crf": "1", "x264-params": "open-gop=1"}),
        ("single.mkv", "libx264", {"bf": "0", "g": "100", "crf": "1"}),
        ("stream.ts", "libx264", {"bf": "2", "g": "3", "crf": "1"}),
        ("vp9.webm", "libvpx-vp9", {"g": "3", "crf": "4", "b": "0"}),
    ],
)
def test_frames_are_nearest_in_time_whatever_the_rate(
    write_clip: WriteClip,
    numbers: Numbers,
    name: str,
    codec: str,
    options: dict[str, str],
    count: int,
) -> None:
    clip = sample_frames(write_clip(name, VARIABLE, codec=codec, options=options), count)
    expected = brute_force(np.array(VARIABLE), count)
    assert numbers(clip.frames) == expected
    assert np.allclose(clip.times, np.array(VARIABLE)[expected], atol=2e-3)
    assert not clip.truncated


def test_packets_without_presentation_times_are_decoded_for_them(
    write_clip: WriteClip, numbers: Numbers
) -> None:
    times = [k / 1000 for k in range(12)]
    path = write_clip("old.avi", times, codec="mpeg4", options={"bf": "2", "g": "4", "b": "4M"})
    assert numbers(sample_frames(path, count=12).frames) == list(range(12))


def test_a_part_of_a_clip_is_what_is_on_screen_then(
    write_clip: WriteClip, numbers: Numbers
) -> None:
    path = write_clip("part.mp4", VARIABLE, options={"g": "4", "crf": "1"})
    assert numbers(sample_frames(path, 2, start=0.95, end=2.6).frames) == [4, 5]
    assert numbers(sample_frames(path, 3, start=3.0, end=5.0).frames) == [7, 7, 7]
    assert numbers(sample_frames(path, 1, start=7.9).frames) == [9]
    with pytest.raises(MediaError) as caught:
        sample_frames(path, 3, start=9.0)
    assert caught.value.kind == "no_frames"


def test_a_clip_of_one_frame_repeats_it(write_clip: WriteClip, numbers: Numbers) -> None:
    clip = sample_frames(write_clip("one.mp4", [0.0]), count=4)
    assert numbers(clip.frames) == [0] * 4
    assert not clip.truncated


def test_odd_sizes_keep_their_columns(tmp_path: Path) -> None:
    path = tmp_path / "odd.mkv"
    picture = np.zeros((35, 51, 3), np.uint8)
    picture[:, -1] = 255  # the last column is lost when a size is rounded down
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=5)
        stream.width, stream.height, stream.pix_fmt = 51, 35, "bgr0"
        container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())
    assert np.array_equal(sample_frames(path, count=1).frames[0], picture)


def test_shrink_sees_each_picture_and_replaces_it(write_clip: WriteClip, numbers: Numbers) -> None:
    path = write_clip("clip.mp4", VARIABLE, options={"crf": "1"})
    clip = sample_frames(path, count=5, shrink=lambda picture: picture[:2, :3])
    assert clip.frames.shape == (5, 2, 3, 3)
    assert numbers(clip.frames) == numbers(sample_frames(path, count=5).frames)


@pytest.mark.parametrize("share", [0.6, 0.8])
def test_a_truncated_clip_gives_the_frames_it_has_and_says_so(
    shared_data: Path, tmp_path: Path, share: float
) -> None:
    for name in ("flipping_a_pancake.mkv", "av1_video.mkv", "big_buck_bunny_432_433.webm"):
        whole = (shared_data / "media" / "video" / name).read_bytes()
        (tmp_path / name).write_bytes(whole[: int(len(whole) * share)])
        clip = sample_frames(tmp_path / name, count=10)
        assert clip.frames.shape[0] == 10
        assert clip.truncated


def test_a_truncated_mp4_with_its_index_in_front_gives_what_it_has(
    write_clip: WriteClip, numbers: Numbers
) -> None:
    times = [k / 10 for k in range(40)]
    path = write_clip("front.mp4", times, options={"crf": "1", "g": "4"}, faststart=True)
    content = path.read_bytes()
    pictures = content.index(b"mdat")
    path.write_bytes(content[: pictures + (len(content) - pictures) * 4 // 5])
    clip = sample_frames(path, count=8)
    chosen = numbers(clip.frames)
    assert clip.truncated
    assert chosen == sorted(chosen)
    assert np.allclose(clip.times, np.array(times)[chosen], atol=2e-3)
    # Spread over what is there, not over the time that the index promises.
    assert chosen[0] <= 2
    assert chosen[-1] < 37
    assert len(set(chosen)) == 8


@pytest.mark.parametrize(("start", "end"), [(2.0, 2.0), (3.0, 1.0)])
def test_an_empty_span_of_time_is_refused(write_clip: WriteClip, start: float, end: float) -> None:
    with pytest.raises(ValueError, match=r"clip\.mp4: start .* is not before end"):
        sample_frames(write_clip("clip.mp4", [0.0]), 4, start, end)


@given(
    times=st.lists(st.integers(0, 10_000), min_size=1, max_size=30, unique=True),
    count=st.integers(1, 50),
)
def test_no_other_frame_is_nearer(times: list[int], count: int) -> None:
    seconds = np.array(sorted(times), dtype=np.float64)
    chosen = nearest_frames(seconds, count, 0.0, np.inf)
    centres = seconds[0] + (np.arange(count) + 0.5) / count * (seconds[-1] - seconds[0])
    assert chosen is not None
    best = np.abs(seconds[:, None] - centres).min(axis=0)
    assert np.allclose(np.abs(seconds[chosen] - centres), best, atol=1e-9)
    assert (np.diff(chosen) >= 0).all()


@given(count=st.integers(1, 60))
def test_a_steady_clip_of_as_many_frames_gives_each_once(count: int) -> None:
    chosen = nearest_frames(np.arange(count) / 25, count, 0.0, np.inf)
    assert chosen is not None
    assert chosen.tolist() == list(range(count))
