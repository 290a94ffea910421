from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest

from pipeline.media import sample_frames, schedule
from pipeline.media.container import open_container
from pipeline.media.decode import Run, _run_frames
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
        wanted = set(clip.times.round(3))
        decoded = {
            round(frame.time, 3): frame.to_ndarray(format="rgb24")
            for frame in container.decode(stream)
            if round(frame.time, 3) in wanted
        }
    for time, frame in zip(clip.times, clip.frames, strict=True):
        assert np.array_equal(decoded[round(time, 3)], frame)


def test_a_clip_too_large_to_keep_is_read_twice_and_gives_the_same_frames(
    write_clip: WriteClip, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_clip("long.mp4", [k**2 / 10 for k in range(10)], options={"bf": "3", "g": "4"})
    with open_container(path) as container:
        assert read_schedule(container, path).packets is not None
    kept = sample_frames(path, 7)
    monkeypatch.setattr(schedule, "KEPT", 100)
    with open_container(path) as container:
        assert read_schedule(container, path).packets is None
    again = sample_frames(path, 7)
    assert np.array_equal(kept.frames, again.frames)
    assert np.array_equal(kept.times, again.times)


def test_frames_that_nothing_is_made_from_are_decoded_only_where_wanted(
    write_clip: WriteClip,
) -> None:
    path = write_clip("b.mp4", [k / 25 for k in range(50)], options={"bf": "3", "g": "50"})
    with open_container(path) as container:
        found = read_schedule(container, path)
        assert found is not None
        assert found.packets is not None
        stream = container.streams.video[0]
        last = len(found.pts) - 1
        run = [Run(0, last, {last})]
        decoded = [frame for _, frame in _run_frames(found.packets, stream, run)]
    assert len(decoded) < 40
    assert int(found.pts[last]) in [frame.pts for frame in decoded]
