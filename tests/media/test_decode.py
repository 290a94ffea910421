from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest

from pipeline.media import sample_frames
from pipeline.media.container import open_container
from pipeline.media.decode import decode_rows
from pipeline.media.schedule import read_schedule

WriteClip = Callable[..., Path]

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


def test_packets_in_memory_and_packets_read_again_give_the_same_frames(
    write_clip: WriteClip,
) -> None:
    path = write_clip("long.mp4", [k**2 / 10 for k in range(10)], options={"bf": "3", "g": "4"})
    with open_container(path) as container:
        schedule = read_schedule(container, path)
        assert schedule is not None
        assert schedule.packets is not None
        rows = set(range(0, 10, 3))
        frames = dict(decode_rows(container, path, schedule, rows, None))
        schedule = replace(schedule, packets=None)
        again = dict(decode_rows(container, path, schedule, rows, None))
    assert set(frames) == set(again) == rows
    assert all(np.array_equal(frames[row], again[row]) for row in rows)
