"""What the extraction stages say, on a set without a source: no network is opened."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from pipeline.features.audio import AudioRecipe
from pipeline.features.extraction import extract
from pipeline.features.recipe import Recipe
from pipeline.features.visual import ClipRecipe
from pipeline.ground.data_set import SETS

YOUTUBE = SETS["youtube"]
WEIGHTS = Path("weights")


@pytest.fixture(autouse=True)
def _project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HGFN_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HGFN_DEVICE", "cuda")
    WEIGHTS.write_text("")
    YOUTUBE.index.parent.mkdir(parents=True)
    columns = {"id": ["a"], "audio": [None], "video": [None], "start": [None], "end": [None]}
    pd.DataFrame(columns).to_parquet(YOUTUBE.index)


@pytest.mark.parametrize(
    ("recipe", "column", "told"),
    [
        (
            AudioRecipe(WEIGHTS, "conv7"),
            "audio",
            ["audio: runs on the CPU; HGFN_DEVICE is not for its network"],
        ),
        (ClipRecipe(WEIGHTS, 40, 224), "video", []),
    ],
)
def test_a_network_that_stays_on_the_cpu_says_so_once(
    capsys: pytest.CaptureFixture[str], recipe: Recipe, column: str, told: list[str]
) -> None:
    extract(YOUTUBE, recipe, column)
    *before, last = capsys.readouterr().out.splitlines()
    assert before == told
    assert last == f"youtube {recipe.modality}: 0 of 1 samples have a source, no failures"
