"""A trained model on new material: through the pipeline's own path, alone as in a crowd."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pipeline import Predictor
from pipeline.datasets import crisismmd, youtube
from pipeline.inputs.parquet import read_table, write_table

pytestmark = pytest.mark.slow


def raw_posts(project: Path, name: str) -> pd.DataFrame:
    """A set's raw texts and files, as its index has them before anything is dropped."""
    raw = project / "data" / name / "raw"
    samples = crisismmd.read_samples(raw, "agreed") if name == "crisismmd" else None
    if samples is None:
        samples, _ = youtube.read_samples(raw)
    keys = [key for key in ("id", "text", "image", "video", "start", "end") if key in samples]
    return samples[keys].sort_values("id", ignore_index=True)


@pytest.mark.parametrize("name", ["crisismmd", "youtube"])
def test_a_sets_raw_files_give_its_predictions_byte_for_byte(
    inside: Path, tmp_path: Path, name: str
) -> None:
    predictor = Predictor.load(f"models/{name}")
    table = predictor.predict(raw_posts(inside, name), Path("data") / name / "raw")
    stored = read_table(Path("predictions") / f"{name}.parquet")
    stored = stored.drop(columns=["split", *(task.name for task in predictor.tasks)])
    pd.testing.assert_frame_equal(table, stored, check_exact=True)
    for file, rows in (("ours", table), ("stored", stored)):
        write_table(tmp_path / file, rows)
    assert (tmp_path / "ours").read_bytes() == (tmp_path / "stored").read_bytes()


def test_a_post_alone_has_the_row_that_it_has_among_others(inside: Path) -> None:
    predictor = Predictor.load("models/youtube")
    posts, raw = raw_posts(inside, "youtube"), Path("data/youtube/raw")
    together = predictor.predict(posts[::-1], raw)
    assert together["id"].tolist() == posts["id"].tolist()[::-1]
    for row in (0, 5):
        alone = predictor.predict(posts.iloc[[row]], raw)
        expected = together[together["id"] == posts["id"][row]].reset_index(drop=True)
        pd.testing.assert_frame_equal(alone, expected, check_exact=True)


def test_probabilities_and_embeddings_are_rows_in_the_posts_order(inside: Path) -> None:
    predictor = Predictor.load("models/crisismmd")
    posts = [{"text": "A flood in the town"}, {"text": "Good morning"}, {"text": ""}]
    table, arrays = predictor.predict(posts), predictor.predict_proba(posts)
    assert table["id"].tolist() == ["1", "2", "3"]
    for task in predictor.tasks:
        columns = [f"{task.name}.p.{label}" for label in task.classes]
        np.testing.assert_array_equal(arrays[task.name], table[columns].to_numpy())
    embedded = predictor.embed(posts)
    members, width = predictor.model.spec.members, predictor.model.spec.fusion.width
    assert embedded.shape == (3, members * width)
    np.testing.assert_array_equal(predictor.embed(posts[1])[0], embedded[1])


def test_a_post_with_nothing_to_look_at_is_unsure_and_says_why(inside: Path) -> None:
    row = Predictor.load("models/crisismmd").predict({"text": " ", "image": "no.jpg"}).iloc[0]
    assert row["unsure"]
    assert (row["text.present"], row["visual.present"]) == (False, False)
    assert (row["text.failure"], row["visual.failure"]) == ("empty_text", "missing_file")


def test_a_model_of_photos_looks_at_no_clip_and_one_of_clips_at_photos_too(inside: Path) -> None:
    photo = next(Path("data/crisismmd/raw").rglob("*.jpg"))
    clip = next(Path("data/youtube/raw/clips").iterdir())
    row = Predictor.load("models/crisismmd").predict({"video": str(clip)}).iloc[0]
    assert (row["visual.present"], row["visual.failure"]) == (False, "not_an_image")
    row = Predictor.load("models/youtube").predict({"image": str(photo)}).iloc[0]
    assert row["visual.present"]
    assert not row["audio.present"]


def copy_of(project: Path, folder: Path) -> Path:
    shutil.copytree(project / "models" / "crisismmd", folder / "model")
    return folder / "model"


def change(path: Path, **values: object) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))


def test_a_folder_that_is_no_whole_model_is_refused_in_one_line(
    inside: Path, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match=r"^models/crisis: no model, .* models/crisismmd, "):
        Predictor.load("models/crisis")
    folder = copy_of(inside, tmp_path)
    change(folder / "thresholds.json", model="0" * 64)
    with pytest.raises(ValueError, match=r"thresholds\.json: of another model than "):
        Predictor.load(folder)
    (folder / "preprocessor.json").unlink()
    with pytest.raises(ValueError, match=r"not evaluated, since it has no preprocessor\.json"):
        Predictor.load(folder)


def test_other_code_or_weights_than_the_features_were_made_with_are_refused(
    inside: Path, tmp_path: Path
) -> None:
    folder = copy_of(inside, tmp_path)
    values = json.loads((folder / "preprocessor.json").read_text())
    values["modalities"]["text"]["made_with"]["version"] = "0"
    change(folder / "preprocessor.json", **values)
    with pytest.raises(ValueError, match=r"text features were made with version 0, this version"):
        Predictor.load(folder)
    values["modalities"]["text"]["made_with"]["weights"] = "0" * 64
    values["modalities"]["text"]["params"]["weights"] = "/nowhere"
    change(folder / "preprocessor.json", **values)
    with pytest.raises(ValueError, match=r"needs the weights with SHA-256 000000000000\.\.\."):
        Predictor.load(folder)


def test_weights_are_found_beside_the_model_from_any_folder(
    inside: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = Predictor.load("models/crisismmd").predict({"text": "flood"})
    monkeypatch.chdir(tmp_path)
    there = Predictor.load(inside / "models" / "crisismmd").predict({"text": "flood"})
    pd.testing.assert_frame_equal(here, there, check_exact=True)
    (tmp_path / "elsewhere").mkdir()
    folder = copy_of(inside, tmp_path / "elsewhere")
    given = Predictor.load(folder, weights=inside / "data" / "weights").predict({"text": "flood"})
    pd.testing.assert_frame_equal(here, given, check_exact=True)
    assert not os.path.exists(tmp_path / "cache" / "weights")
