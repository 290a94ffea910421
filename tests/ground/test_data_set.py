from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from pipeline.ground.data_set import SETS, data_set, present_sets


def test_the_paths_are_the_ones_of_the_pipeline() -> None:
    clips = data_set("youtube")
    assert clips.raw == Path("data/youtube/raw")
    assert clips.index == Path("data/youtube/index.parquet")
    assert clips.tasks == Path("data/youtube/tasks.json")
    assert clips.features("audio") == Path("data/youtube/features/audio.h5")
    assert clips.failures("audio") == Path("data/youtube/failures/audio.csv")


def test_modalities_are_sorted_once() -> None:
    for chosen in SETS.values():
        assert list(chosen.modalities) == sorted(chosen.modalities)


@pytest.mark.parametrize("name", ["../x", "Floods", "a b", "", "weights", "sample", "a" * 61, "-a"])
def test_a_name_that_is_no_folder_of_its_own_is_refused(name: str) -> None:
    with pytest.raises(
        ValueError, match=r"is not a name for a data set; allowed: crisismmd, youtube"
    ):
        data_set(name)


def test_any_other_name_is_a_set_of_posts() -> None:
    assert data_set("floods_2017").form == "posts"


def index(**columns: list[str | None]) -> pd.DataFrame:
    return pd.DataFrame(
        {"text": ["a", None], "image": None, "video": None, "audio": None} | columns
    )


def test_the_modalities_of_posts_are_those_that_any_post_has() -> None:
    posts = data_set("floods")
    assert posts.modalities_of(index()) == ("text",)
    assert posts.modalities_of(index(image=[None, "a.jpg"])) == ("text", "visual")
    clips = index(video=["a.mp4", None], audio=["a.mp4", None])
    assert posts.modalities_of(clips) == ("audio", "text", "visual")
    assert data_set("youtube").modalities_of(index()) == ("audio", "text", "visual")


def test_sequences_of_posts_are_recurrent_where_any_has_a_video() -> None:
    still, moving = index(image=["a.jpg", "b.jpg"]), index(video=[None, "a.mp4"])
    names = ("crisismmd", "youtube", "floods")
    assert [data_set(name).encoder_of(still) for name in names] == ["pooled", "bigru", "pooled"]
    assert [data_set(name).encoder_of(moving) for name in names] == ["pooled", "bigru", "bigru"]


def test_sets_of_a_users_own_are_found_by_their_raw_folder(tmp_path: Path) -> None:
    for name in ("floods", "weights", "Other"):
        (tmp_path / name / "raw").mkdir(parents=True)
    (tmp_path / "not_downloaded").mkdir()
    assert list(present_sets(tmp_path)) == ["crisismmd", "youtube", "floods"]


@pytest.mark.parametrize("modality", ["sound", "../../text", ""])
def test_the_name_of_no_modality_becomes_a_path(modality: str) -> None:
    with pytest.raises(ValueError, match=r"no modality '.*'; allowed: audio, text, visual"):
        data_set("crisismmd").features(modality)
