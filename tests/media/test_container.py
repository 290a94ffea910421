from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest
from av.stream import Disposition

from pipeline.media import MediaError, sample_frames

Numbers = Callable[[np.ndarray], list[int]]
WriteClip = Callable[..., Path]

TIMES = [0.0, 0.1, 0.2, 0.9]


def test_an_mp4_without_its_index_is_truncated(write_clip: WriteClip) -> None:
    path = write_clip("cut.mp4", TIMES)
    path.write_bytes(path.read_bytes()[:-300])
    with pytest.raises(MediaError) as caught:
        sample_frames(path)
    assert caught.value.kind == "truncated"


def test_sound_alone_is_no_video(shared_data: Path) -> None:
    with pytest.raises(MediaError) as caught:
        sample_frames(shared_data / "media" / "audio" / "sine_mono_s16.wav")
    assert caught.value.kind == "no_video_stream"


def test_a_cover_picture_is_no_video(tmp_path: Path) -> None:
    path = tmp_path / "song.mp3"
    with av.open(str(path), "w") as container:
        sound = container.add_stream("mp3", rate=44_100, layout="mono")
        cover = container.add_stream("mjpeg", rate=1)
        cover.width, cover.height, cover.pix_fmt = 32, 32, "yuvj420p"
        cover.disposition = Disposition.attached_pic
        container.mux(cover.encode(av.VideoFrame(32, 32, "yuvj420p")))
        silence = np.zeros((1, 4_000), np.float32)
        frame = av.AudioFrame.from_ndarray(silence, format="fltp", layout="mono")
        frame.sample_rate = 44_100
        container.mux(sound.encode(frame))
        container.mux(sound.encode())
    with av.open(str(path)) as container:
        assert container.streams.video  # FFmpeg takes the cover for a video stream
    with pytest.raises(MediaError) as caught:
        sample_frames(path)
    assert caught.value.kind == "no_video_stream"


def test_a_video_of_an_unknown_codec_is_no_video(write_clip: WriteClip) -> None:
    path = write_clip("odd.mp4", TIMES)
    path.write_bytes(path.read_bytes().replace(b"avc1", b"zzzz").replace(b"avcC", b"zzzz"))
    with pytest.raises(MediaError) as caught:
        sample_frames(path)
    assert caught.value.kind == "no_video_stream"


@pytest.mark.parametrize("content", ["not a video", ""])
def test_other_files_are_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "text.mp4").write_text(content)
    with pytest.raises(MediaError, match=r"text\.mp4: not a readable video") as caught:
        sample_frames(tmp_path / "text.mp4")
    assert caught.value.kind == "decode_failed"


def test_names_that_look_like_protocols_are_names(write_clip: WriteClip, numbers: Numbers) -> None:
    for name in ("concat:a|b.mp4", "http: ü %03d.mp4"):
        path = write_clip("plain.mp4", [0.0, 0.1], options={"crf": "1"})
        path = path.rename(path.with_name(name))
        assert numbers(sample_frames(path, count=2).frames) == [0, 1]


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(MediaError, match=r"nothing\.mp4") as caught:
        sample_frames(tmp_path / "nothing.mp4")
    assert caught.value.kind == "missing_file"
