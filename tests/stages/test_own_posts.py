"""Posts of a user's own go through every stage; CrisisMMD written as posts gives the same bytes."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pandas as pd
import pytest
from ruamel.yaml import YAML

from pipeline.datasets.crisismmd import TASKS, read_annotations, read_samples
from pipeline.inputs.feature_file import FeatureFile
from pipeline.training.model import load_model
from tests.stages.runs import prepare, run, write_sources

pytestmark = [pytest.mark.slow, pytest.mark.heavy]


def add_set(folder: Path, name: str, source: Path) -> None:
    """Add the three lines of params.yaml."""
    yaml = YAML()
    values = yaml.load(folder / "params.yaml")
    values["data"][name] = {"source": str(source), "split": "grouped"}
    yaml.dump(values, folder / "params.yaml")


def write_as_posts(crisismmd: Path, folder: Path) -> None:
    """Write CrisisMMD's rows, in its order, as a posts manifest with its photos."""
    shutil.copytree(crisismmd / "data_image", folder / "data_image")
    samples = read_samples(crisismmd, "agreed")
    columns = ["id", "text", "image", *(task["name"] for task in TASKS)]
    posts = samples[columns].assign(group=read_annotations(crisismmd)["tweet_id"])
    for task in TASKS:
        codes = dict(enumerate(task["classes"]))
        posts[task["name"]] = posts[task["name"]].map(codes, na_action="ignore")
    posts.to_csv(folder / "posts.csv", index=False)
    tasks = {t["name"]: {"classes": list(t["classes"]), "negative": t["negative"]} for t in TASKS}
    YAML().dump(tasks, folder / "tasks.yaml")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project in which both have been trained."""
    home = tmp_path_factory.mktemp("own")
    write_sources(home / "sources")
    write_as_posts(home / "sources" / "crisismmd", home / "sources" / "floods")
    prepare(home / "project", home / "sources")
    add_set(home / "project", "floods", home / "sources" / "floods")
    output = run(home / "project", ["crisismmd", "floods"])
    (home / "project" / "output.txt").write_text(output)
    return home / "project"


@pytest.mark.parametrize(
    "file",
    [
        "data/{}/features/visual.h5",
        "data/{}/features/text.h5",
        "data/{}/tasks.json",
        "metrics/{}.json",
        "metrics/{}_baselines.json",
        "predictions/{}.parquet",
        "predictions/{}_baselines.parquet",
        "models/{}/model.safetensors",
    ],
)
def test_the_bytes_are_those_of_the_built_in_set(folder: Path, file: str) -> None:
    own, built_in = (folder / file.format(name) for name in ("floods", "crisismmd"))
    assert own.read_bytes() == built_in.read_bytes()


def test_the_split_is_that_of_the_built_in_set(folder: Path) -> None:
    own, built_in = (
        pd.read_parquet(folder / "data" / name / "index.parquet")
        for name in ("floods", "crisismmd")
    )
    same = [name for name in own.columns if name not in ("image", "event")]
    pd.testing.assert_frame_equal(own[same], built_in[same])
    assert (own["image"] == "files/" + built_in["image"]).all()


def test_a_modality_that_no_post_has_is_no_warning(folder: Path) -> None:
    output = (folder / "output.txt").read_text()
    assert "floods audio: soundnet (untrained); 0 of 30 samples have a source" in output
    assert "warning" not in output
    assert "left out" not in output


def write_mixed(sources: Path, folder: Path) -> None:
    """Write posts of every form: a text alone, one photo, several, a broken one, a clip."""
    photos = sorted((sources / "crisismmd" / "data_image").rglob("*.jpg"))
    clips = sorted((sources / "youtube" / "clips").glob("*.mp4"))[3:9]  # all can be read
    folder.mkdir()
    for path in (*photos[:12], *clips):
        shutil.copy(path, folder)
    (folder / "broken.jpg").write_bytes(b"no photo")
    images = [photo.name for photo in photos[:6]]
    images += [f"{photos[k].name};broken.jpg;{photos[k + 3].name}" for k in range(6, 9)]
    posts = pd.DataFrame({"id": [f"post{k:02}" for k in range(18)]})
    posts["text"] = [f"water{k} street{k} house{k} bridge{k}" if k % 4 else "" for k in range(18)]
    posts["image"] = [*images, *[""] * 9]
    posts["video"] = [*[""] * 9, *(clip.name for clip in clips), *[""] * 3]
    posts["flooded"] = [k % 2 for k in range(18)]
    posts.to_csv(folder / "posts.csv", index=False)


def test_photos_and_clips_of_one_set_reach_the_metrics(tmp_path: Path) -> None:
    write_sources(tmp_path / "sources")
    write_mixed(tmp_path / "sources", tmp_path / "mixed")
    project = tmp_path / "project"
    prepare(project, tmp_path / "sources")
    add_set(project, "mixed", tmp_path / "mixed")
    run(project, ["mixed"])
    visual = FeatureFile(project / "data/mixed/features/visual.h5")
    assert visual.attributes["reader"] == "post"
    lengths = [len(array) for array in visual.rows()]
    # A photo is one vector, three of which one is broken are two, and a clip has two frames.
    assert lengths == [1] * 6 + [2] * 9 + [0] * 3
    failures = pd.read_csv(project / "data/mixed/failures.csv").set_index("id")
    broken = failures[failures["kind"] == "not_an_image"]
    assert broken.index.tolist() == ["post06", "post07", "post08"]
    assert broken["message"].str.startswith("data/mixed/raw/files/broken.jpg: not a readable").all()
    _, spec = load_model(project / "models/mixed")
    assert (spec.encoder, list(spec.modalities)) == ("bigru", ["audio", "text", "visual"])
    scores = json.loads((project / "metrics/mixed.json").read_text())
    assert set(scores) == {"flooded", "mean"}
