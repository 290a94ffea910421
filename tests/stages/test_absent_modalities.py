"""A modality of which nothing can be read is absent, loudly; the others go on to metrics."""

from __future__ import annotations

import csv
import json
import math
import shutil
from pathlib import Path

import av
import numpy as np
import pandas as pd
import pytest

from pipeline.extractors.registry import obtain
from pipeline.ground.data_set import MODALITIES
from pipeline.params import load_params
from pipeline.training.model import load_model
from tests.stages.runs import ROOT, link_weights, prepare, run, write_sources

pytestmark = [pytest.mark.slow, pytest.mark.heavy]

WARNING = "no sample has any {} features; training and evaluation go on without them"


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("weights")
    features = load_params(ROOT / "params.yaml").features
    for modality in MODALITIES:
        obtain(modality, getattr(features, modality), folder / modality)
    return folder


@pytest.fixture
def sources(tmp_path: Path) -> Path:
    write_sources(tmp_path / "sources")
    return tmp_path / "sources"


def check(folder: Path, name: str, modalities: list[str]) -> None:
    assert list(load_model(folder / "models" / name)[1].modalities) == modalities
    for file in (f"{name}.json", f"{name}_baselines.json"):
        values = json.loads((folder / "metrics" / file).read_text())
        mean = values["mean"] if "mean" in values else values["best_single"]["mean"]
        assert all(math.isfinite(value) for value in mean.values())
    assert len(list((folder / "plots" / name / "figures").glob("*.png"))) == 4


def test_tweets_whose_photos_are_missing_or_broken(
    weights: Path, sources: Path, tmp_path: Path
) -> None:
    photos = sorted((sources / "crisismmd" / "data_image").rglob("*.*"))
    for photo in photos[::2]:
        photo.unlink()
    for photo in photos[1::2]:
        photo.write_bytes(photo.name.encode())
    folder = tmp_path / "project"
    prepare(folder, sources)
    output = run(folder, ["crisismmd"], lambda: link_weights(weights, folder))
    assert f"warning: crisismmd: {WARNING.format('visual')}" in output
    assert "visual (no training sample has it)" in output
    check(folder, "crisismmd", ["text"])
    table = pd.read_csv(folder / "data/crisismmd/failures.csv")
    rows = pd.read_parquet(folder / "data/crisismmd/index.parquet")
    kinds = table.set_index("id")["kind"]
    assert sorted(kinds.index) == rows["id"].tolist()
    assert set(kinds) == {"missing_file", "not_an_image"}


def test_clips_without_any_sound_and_words(weights: Path, sources: Path, tmp_path: Path) -> None:
    manifest = sources / "youtube" / "manifest.csv"
    with manifest.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    for number, row in enumerate(rows):
        write_silent(sources / "youtube" / row["source"], number)
        row |= {"description": "", "start": "", "end": ""}
    pd.DataFrame(rows).to_csv(manifest, index=False)
    folder = tmp_path / "project"
    prepare(folder, sources)
    output = run(folder, ["youtube"], lambda: link_weights(weights, folder))
    for modality in ("audio", "text"):
        assert f"warning: youtube: {WARNING.format(modality)}" in output
    check(folder, "youtube", ["visual"])


def write_silent(path: Path, number: int) -> None:
    with av.open(str(path), "w", format="matroska") as container:
        stream = container.add_stream("mpeg4", rate=10)
        stream.width, stream.height, stream.pix_fmt = 96, 80, "yuv420p"
        for shade in (10 * number, 10 * number + 5):
            picture = np.full((80, 96, 3), shade, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())


def test_tweets_without_photo_and_words_stop_with_a_reason(
    weights: Path, sources: Path, tmp_path: Path
) -> None:
    shutil.rmtree(sources / "crisismmd" / "data_image")
    (annotations,) = (sources / "crisismmd" / "annotations").glob("*.tsv")
    header, *lines = annotations.read_text(encoding="utf-8").splitlines()
    place = header.split("\t").index("tweet_text")
    rows = [line.split("\t") for line in lines]
    rows = [[*row[:place], " ", *row[place + 1 :]] for row in rows]
    annotations.write_text("\n".join([header, *("\t".join(row) for row in rows)]) + "\n")
    folder = tmp_path / "project"
    prepare(folder, sources)
    with pytest.raises(ValueError, match=r"nothing to learn from; the tables in data/<set>/fail"):
        run(folder, ["crisismmd"], lambda: link_weights(weights, folder))
