"""`hgfn compare` on a data set: over random splits, by event, and what it refuses."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner, Result

from pipeline.cli import app
from pipeline.datasets.split import grouped_split
from pipeline.evaluation.comparison import compare as comparison
from pipeline.evaluation.comparison import report
from pipeline.evaluation.comparison.splits import seed_splits
from pipeline.evaluation.comparison.subject import read_subject
from pipeline.ground.data_set import SETS
from pipeline.inputs.feature_file import write_features
from pipeline.inputs.parquet import write_table
from pipeline.mtl import Task

ROWS = 120
TWEETS = [
    Task("informative", ("no", "yes"), negative="no"),
    Task("damage", ("none", "mild", "severe"), negative="none"),
]
CONCEPTS = [
    Task(name, ("absent", "present"), negative="absent", head="sigmoid") for name in ("a", "b")
]
NETWORKS = "projected_lsew, projected_lsew_visual"
ALL = ("--rows", NETWORKS, "--rows", "linear,linear_text,linear_visual,text_linear,majority")


def write_set(name: str, tasks: list[Task], steps: int) -> None:
    """The first task is a sign in `visual`; the second a word, and the features of `text`."""
    random = np.random.default_rng(0)
    data = SETS[name]
    data.folder.mkdir(parents=True)
    ids = [f"t{row:03}" for row in range(ROWS)]
    values = {m: random.normal(size=(ROWS, 4)).astype(np.float32) for m in data.modalities}
    kind = random.integers(0, len(tasks[1].classes), ROWS)
    values["text"][np.arange(ROWS), kind] += 3
    first = pd.Series((values["visual"][:, 0] > 0).astype(int), dtype="Int64")
    index = pd.DataFrame({"id": ids, "group": [f"g{row // 2}" for row in range(ROWS)]})
    index["event"] = ["fire", "flood", "quake"] * (ROWS // 3) if steps == 1 else None
    index["split"] = ""
    index["text"] = [f"word{k} here" for k in kind]
    index[tasks[0].name] = first.mask(np.arange(ROWS) % 10 == 0)
    index[tasks[1].name] = pd.Series(kind, dtype="Int64")
    index["split"] = grouped_split(index["group"], index[[task.name for task in tasks]])
    write_table(data.index, index.astype({"event": "string"}))
    data.tasks.write_text(json.dumps([asdict(task) for task in tasks]))
    attributes = {"encoder": "made", "weights_origin": "untrained"}
    for modality in data.modalities:
        rows = [np.repeat(row[None], steps, axis=0) for row in values[modality]]
        path = data.features(modality)
        write_features(path, zip(ids, rows, strict=True), 4, attributes)


def compare(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["compare", *map(str, arguments)])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with both sets, compared over two seeds and over three events."""
    folder = tmp_path_factory.mktemp("sets")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("HGFN_WORKERS", "1")
        short(patch)
        write_set("crisismmd", TWEETS, 1)
        write_set("youtube", CONCEPTS, 3)
        of_events = ("--by", "event", "--rows", "linear,majority")
        for out, chosen in (("seeds", ("--seeds", 2, *ALL)), ("events", of_events)):
            result = compare("crisismmd", *chosen, "--out", out)
            assert result.exit_code == 0, result.output
    return folder


def short(patch: pytest.MonkeyPatch) -> None:
    """Few epochs, and no picture, which costs more than the rest of a report."""
    train = comparison.SETTINGS.train.model_copy(update={"max_epochs": 3})
    patch.setattr(comparison, "SETTINGS", replace(comparison.SETTINGS, train=train))
    patch.setattr(report, "_draw", lambda *given: None)


@pytest.fixture
def here(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(folder)
    monkeypatch.setenv("HGFN_WORKERS", "1")
    short(monkeypatch)
    return folder


def table(out: str) -> pd.DataFrame:
    return pd.read_csv(f"{out}/comparison.csv").set_index(["row", "task", "score"])


def test_every_row_has_means_and_each_task_its_own_scores(here: Path) -> None:
    scores = table("seeds")
    names = ("linear", "linear_text", "linear_visual", "majority", "projected_lsew", "text_linear")
    assert sorted(set(scores.index.get_level_values("row"))) == sorted(
        [*names, "projected_lsew_visual"]
    )
    for task in ("informative", "damage"):
        for score in ("map", "macro_f1", "accuracy"):
            assert scores.xs((task, score), level=("task", "score"))["mean"].between(0, 1).all()
    # What each row can know: the word says the damage, the photo the rest.
    damage = scores.xs(("damage", "accuracy"), level=("task", "score"))["mean"]
    assert damage["text_linear"] == 1.0
    assert damage["linear_text"] > 0.9 > 0.6 > damage["linear_visual"]
    informative = scores.xs(("informative", "accuracy"), level=("task", "score"))["mean"]
    assert informative["linear_visual"] > 0.9 > 0.8 > informative["text_linear"]
    assert damage["majority"] < 0.6
    text = Path("seeds/comparison.md").read_text()
    assert text.startswith("# crisismmd: 120 rows, 2 tasks, modalities text 4, visual 4\n")
    assert "\n## damage\n\n| Method | MAP | macro-F1 | accuracy |\n" in text
    assert "\n## Paired differences to TF-IDF + logistic regression\n" in text
    assert "- Features: text made (untrained), visual made (untrained).\n" in text
    assert "informative 108 (no " in text
    assert "nan" not in text


def test_the_best_row_on_one_modality_is_a_reference(here: Path) -> None:
    scores = table("seeds")
    means = scores.xs(("mean", "map"), level=("task", "score"))["mean"]
    alone = ["linear_text", "linear_visual", "projected_lsew_visual"]
    best = means[alone].idxmax()
    assert f"minus_{best}_low" in scores
    assert not {f"minus_{name}_low" for name in alone if name != best} & set(scores)


def test_seed_0_has_the_split_of_the_pipeline(here: Path) -> None:
    subject = read_subject("crisismmd")
    split = seed_splits(subject, 1).sides[0]
    np.testing.assert_array_equal(split, subject.problem.examples.split)


def test_by_event_each_event_is_a_run(here: Path) -> None:
    runs = pd.read_csv("events/runs.csv")
    assert runs.groupby("row")["event"].apply(list).map(tuple).unique().tolist() == [
        ("fire", "flood", "quake")
    ]
    text = Path("events/comparison.md").read_text()
    assert "- Events: 3, each the test side once, " in text
    scores = table("events")
    row = scores.loc[("linear", "mean", "map")]
    values = runs.loc[runs["row"] == "linear", "map"]
    expected = 4.302653 * values.std() / 3**0.5  # t(0.975) of two degrees of freedom
    assert row["high"] - row["mean"] == pytest.approx(expected, rel=1e-4)


def test_clips_are_compared_as_sequences(here: Path) -> None:
    result = compare("youtube", "--seeds", 1, "--rows", "projected_lsew,linear", "--out", "clips")
    assert result.exit_code == 0, result.output
    assert "modalities audio 4, text 4, visual 4" in Path("clips/comparison.md").read_text()


FAULTS = {
    ("crisis",): "crisis: no data set of this name (crisismmd, youtube) and no such file",
    (".",): ".: no data set of this name (crisismmd, youtube) and no such file",
    ("youtube", "--by", "event"): "data/youtube: no row has an event; leave out --by event",
    ("crisismmd", "--by", "week"): "--by is 'week'; allowed: event",
    ("crisismmd", "--by", "event", "--seeds", 2): "--by event has one split an event",
    ("crisismmd", "--rows", "linear_audio"): "--rows has 'linear_audio'; allowed: linear, linear_",
    ("crisismmd", "--rows", "ours", "--fusion", "cfc"): "--rows names all rows: leave out",
}


@pytest.mark.parametrize("arguments", FAULTS, ids=str)
def test_wrong_input_is_one_line_with_the_cure(here: Path, arguments: tuple[object, ...]) -> None:
    result = compare(*arguments, "--out", "none")
    assert result.exit_code == 1
    assert result.stderr.startswith(f"error: {FAULTS[arguments]}")
    assert result.stderr.count("\n") == 1
    assert not Path("none").exists()


def test_a_set_that_is_not_extracted_names_the_stages_to_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    message = "error: data/crisismmd: not extracted yet; run `dvc repro"
    stages = "index@crisismmd text@crisismmd visual@crisismmd"
    assert compare("crisismmd").stderr == f"{message} {stages}`\n"
    write_set("crisismmd", TWEETS, 1)
    SETS["crisismmd"].features("visual").unlink()
    assert compare("crisismmd").stderr == f"{message} visual@crisismmd`\n"
