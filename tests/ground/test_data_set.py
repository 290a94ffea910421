from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.ground.data_set import SETS, data_set


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


def test_an_unknown_set_is_told_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match="unknown data set 'vidi'; allowed: crisismmd, youtube"):
        data_set("vidi")


@pytest.mark.parametrize("modality", ["audio", "../../text", ""])
def test_the_name_of_no_modality_becomes_a_path(modality: str) -> None:
    with pytest.raises(ValueError, match=r"crisismmd has no modality '.*'; allowed: text, visual"):
        data_set("crisismmd").features(modality)
