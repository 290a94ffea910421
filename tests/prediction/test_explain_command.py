"""`hgfn explain`: of one post, with the decision and confidence that `hgfn predict` has."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
import torch
from PIL import Image
from typer.testing import CliRunner, Result

from pipeline.cli import app
from pipeline.evaluation.model_folder import Decision, Decisions, Preprocessor, TrainedModel
from pipeline.features.cache import ItemCache
from pipeline.features.text import TextRecipe
from pipeline.features.visual import VisualRecipe
from pipeline.prediction.material import manifest_posts
from pipeline.prediction.predictor import Predictor
from tests.prediction.small_encoders import Colours, Letters
from tests.training.conftest import TASKS, make_spec

Run = Callable[..., Result]


@pytest.fixture
def predictor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Predictor:
    """A model with random weights, whatever folder is named."""
    monkeypatch.setenv("HGFN_WORKERS", "1")
    torch.manual_seed(0)
    spec = make_spec({"text": 3, "visual": 3}, fusion="hgfn", encoder="bigru")
    each = {task.name: Decision(threshold=0.5, temperature=2.0) for task in TASKS}
    decisions = Decisions(model="0", unsure_below=0.5, tasks=each)
    model = TrainedModel(
        tmp_path, spec.build(), spec, decisions, Preprocessor(model="0", modalities={})
    )
    recipes = {"visual": VisualRecipe(Colours(), 4, "post"), "text": TextRecipe(Letters())}
    made = Predictor(model, recipes, decisions, ItemCache(tmp_path / "cache"))
    monkeypatch.setattr(Predictor, "load", lambda folder, **_: made)
    return made


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A manifest of two posts, one with a photo."""
    folder = tmp_path / "posts"
    folder.mkdir()
    Image.new("RGB", (40, 30), (200, 100, 50)).save(folder / "a.png")
    lines = ["id,text,image", "100000000000000001,Flood at the bridge,a.png", "b,All is well,"]
    (folder / "posts.csv").write_text("\n".join(lines) + "\n")
    return folder


@pytest.fixture
def run(predictor: Predictor) -> Run:
    return lambda *arguments: CliRunner().invoke(app, ["explain", "models/any", *arguments])


def test_a_post_of_a_manifest_is_explained_with_its_prediction(
    run: Run, predictor: Predictor, folder: Path
) -> None:
    result = run(str(folder / "posts.csv"), "--id", "100000000000000001")
    assert result.exit_code == 0, result.output
    post = {"id": "100000000000000001", "text": "Flood at the bridge", "image": "a.png"}
    row = predictor.predict(post, folder).iloc[0]
    for task in TASKS:
        decided, confidence = row[f"{task.name}.decision"], row[f"{task.name}.confidence"]
        assert f"{task.name}: {decided} (probability " in result.output
        assert f"confidence {confidence:.3f})" in result.output
    for part in ("without any input", "bridge", "regions of photo 1", "text & visual (bimodal"):
        assert part in result.output


def test_one_post_and_one_task_of_it(run: Run) -> None:
    result = run("--text", "Flood at the bridge", "--task", "kind")
    assert result.exit_code == 0, result.output
    assert result.output.startswith("kind: ")
    assert "victim: " not in result.output
    assert "photo" not in result.output


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        ([], "give --id of a post of the model's own set, an INPUT with --id, or --"),
        (["posts.csv"], "give --id of a post of the model's own set, an INPUT with --id, or --"),
        (["posts.csv", "--id", "c"], "posts.csv: no post has the id 'c'"),
        (["--text", "x", "--task", "kin"], "the model has no task 'kin'; it has useful, kind"),
        (["-", "--id", "a"], "standard input is not read here"),
        (["--text", " "], "the post had nothing that could be read"),
        (["--image", "gone.png"], "the post had nothing that could be read"),
    ],
)
def test_what_is_wrong_is_one_line(
    run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], line: str
) -> None:
    monkeypatch.chdir(folder)
    result = run(*arguments)
    assert result.exit_code == 1
    assert line in result.output
    assert "Traceback" not in result.output


def test_the_table_has_a_row_a_post_in_their_order(predictor: Predictor, folder: Path) -> None:
    posts = [
        {"id": "z", "text": "Flood at the bridge", "image": "a.png"},
        {"id": "a", "text": "All is well"},
        {"id": "m", "text": " "},
    ]
    table = predictor.explain(posts, folder)
    assert table["id"].tolist() == ["z", "a", "m"]
    assert table["kind.shapley.visual"].ne(0).tolist() == [True, False, False]
    shares = table[[f"kind.shapley.{part}" for part in ("nothing", "text", "visual")]].sum(axis=1)
    decided = predictor.predict_proba(posts, folder)["kind"].max(axis=1)
    pd.testing.assert_series_equal(shares, pd.Series(decided), atol=1e-6, check_names=False)
    assert table["kind.words"].map(bool).tolist() == [True, True, False]
    alone = predictor.explain([posts[1]], folder)
    pd.testing.assert_frame_equal(alone, table.iloc[[1]].reset_index(drop=True))


@pytest.mark.parametrize("suffix", ["csv", "jsonl", "parquet"])
def test_a_file_of_predictions_has_the_explanation_beside_them(
    predictor: Predictor, folder: Path, suffix: str
) -> None:
    read = {"csv": pd.read_csv, "jsonl": pd.read_json, "parquet": pd.read_parquet}[suffix]
    options = {"lines": True, "dtype": {"id": str}} if suffix == "jsonl" else {}
    options |= {"dtype": {"id": str}} if suffix == "csv" else {}
    files = [folder / f"plain.{suffix}", folder / f"explained.{suffix}"]
    for file, more in zip(files, [[], ["--explain"]], strict=True):
        arguments = ["predict", "models/any", str(folder / "posts.csv"), "--out", str(file), *more]
        result = CliRunner().invoke(app, arguments)
        assert result.exit_code == 0, result.output
    plain, explained = (read(file, **options) for file in files)
    expected = predictor.explain(manifest_posts(folder / "posts.csv")[0], folder)
    assert list(explained) == [*plain, *expected.columns[1:]]
    pd.testing.assert_frame_equal(explained[plain.columns], plain)
    assert explained["kind.words"].tolist() == expected["kind.words"].tolist()


def test_an_explanation_of_one_post_needs_a_file_or_the_other_command(
    predictor: Predictor,
) -> None:
    result = CliRunner().invoke(app, ["predict", "models/any", "--text", "x", "--explain"])
    assert result.exit_code == 1
    assert "give --out, or type hgfn explain" in result.output
