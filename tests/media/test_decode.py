from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest

from pipeline.media import sample_frames

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
