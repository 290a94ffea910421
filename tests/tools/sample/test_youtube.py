from __future__ import annotations

import hashlib
from pathlib import Path

import av
import numpy as np
import pandas as pd
import pytest
from av.error import InvalidDataError

from pipeline.datasets.paper_concepts import CONCEPTS
from tools.sample import write_youtube
from tools.sample.scenes import SCENES, draw_frames
from tools.sample.youtube import plan_clips


def dirty(folder: Path, kind: str) -> Path:
    (clip,) = (clip for clip in plan_clips(16) if clip.dirt == kind)
    return folder / clip.source


def frames_of(path: Path) -> list[av.VideoFrame]:
    frames = []
    with av.open(str(path)) as container:
        try:
            for frame in container.decode(video=0):
                frames.append(frame)
        except (InvalidDataError, EOFError):
            pass
    return frames


def digest(folder: Path) -> str:
    state = hashlib.sha256()
    for file in sorted(path for path in folder.rglob("*") if path.is_file()):
        state.update(str(file.relative_to(folder)).encode() + file.read_bytes())
    return state.hexdigest()


def test_the_manifest_names_every_clip_and_concept(youtube: Path) -> None:
    table = pd.read_csv(youtube / "manifest.csv", dtype=str, keep_default_na=False)
    assert list(table) == ["id", "source", "start", "end", "description", *CONCEPTS]
    assert table["id"].is_unique
    assert sorted(table["source"]) == sorted(f"clips/{p.name}" for p in youtube.glob("clips/*"))
    assert set(table[list(CONCEPTS)].to_numpy().ravel()) == {"0", "1", ""}


def test_the_manifest_is_dirty(youtube: Path) -> None:
    table = pd.read_csv(youtube / "manifest.csv", dtype=str, keep_default_na=False)
    assert (table[list(CONCEPTS)] == "").sum(axis=None) == 2
    assert (table["description"] == "").sum() == 1
    assert table["description"].str.contains("â€™").sum() == 1
    assert table["description"].str.contains("🙏").sum() == 1
    assert table["source"].str.contains(" ").any()
    assert not table["source"].map(str.isascii).all()
    windows = table[table["start"] != ""]
    assert len(windows) >= 1
    assert (windows["end"].astype(float) > windows["start"].astype(float)).all()


def test_a_clean_clip_is_h264_and_aac_in_the_promised_measures(youtube: Path) -> None:
    for clip in plan_clips(16):
        if clip.dirt:
            continue
        with av.open(str(youtube / clip.source)) as container:
            video, audio = container.streams.video[0], container.streams.audio[0]
            assert (video.codec_context.name, audio.codec_context.name) == ("h264", "aac")
            assert min(video.width, video.height) >= 120
            assert max(video.width, video.height) <= 320
            assert float(video.average_rate or 0) in (10, 12, 15)
            assert 2.9 <= float(video.duration * video.time_base) <= 8.1
            assert audio.rate == 22_050
            assert "creation_time" not in container.metadata


def test_one_clip_has_no_audio(youtube: Path) -> None:
    with av.open(str(dirty(youtube, "no_audio"))) as container:
        assert len(container.streams.video) == 1
        assert not container.streams.audio


def test_one_clip_has_one_frame(youtube: Path) -> None:
    assert len(frames_of(dirty(youtube, "one_frame"))) == 1


def test_one_clip_is_cut_before_its_index(youtube: Path) -> None:
    with pytest.raises(InvalidDataError):
        av.open(str(dirty(youtube, "cut")))


def test_one_clip_is_cut_after_its_index_and_gives_some_frames(youtube: Path) -> None:
    (clip,) = (clip for clip in plan_clips(16) if clip.dirt == "cut_after_index")
    assert 1 <= len(frames_of(youtube / clip.source)) < round(clip.seconds * clip.fps)


def test_two_runs_write_the_same_bytes(tmp_path: Path) -> None:
    for run in ("one", "two"):
        write_youtube(tmp_path / run, clips=5)
    assert digest(tmp_path / "one") == digest(tmp_path / "two")


@pytest.mark.slow
def test_the_whole_sample_is_small_and_the_same_twice(tmp_path: Path) -> None:
    for run in ("one", "two"):
        write_youtube(tmp_path / run)
    assert digest(tmp_path / "one") == digest(tmp_path / "two")
    assert len(list(tmp_path.glob("one/clips/*"))) == 64
    assert sum(file.stat().st_size for file in tmp_path.glob("one/clips/*")) < 6e6


def test_a_clip_shows_its_cues_one_after_the_other() -> None:
    cues = ["crowd", "water"]
    frames = list(draw_frames(cues, 10, 160, 120, np.random.default_rng(0)))
    assert len(frames) == 10
    colours = np.array([frame.mean((0, 1)) for frame in frames])
    reddish = colours[:, 0] > colours[:, 2]
    assert reddish.sum() == 5  # a crowd is red, water is blue
    assert np.abs(np.diff(reddish.astype(int))).sum() == 1


@pytest.mark.parametrize("cue", SCENES)
def test_a_scene_moves(cue: str) -> None:
    frames = list(draw_frames([cue], 8, 160, 120, np.random.default_rng(0)))
    change = np.abs(frames[0].astype(float) - frames[-1].astype(float)).mean()
    assert change > 10  # more than the grain alone
