"""`hgfn compare` as its users run it: the report, its intervals, and what it refuses."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from typer.testing import CliRunner, Result

from pipeline.cli import app
from pipeline.evaluation.comparison import compare as comparison
from pipeline.evaluation.comparison import report
from pipeline.inputs.parquet import read_table, write_table
from pipeline.models.fusion import FUSIONS
from pipeline.mtl import METHODS

RATES = (0.0003, 0.003)
SEVERAL = [part for rate in RATES for part in ("--learning-rate", rate)]


@pytest.fixture(scope="module", autouse=True)
def short() -> Iterator[None]:
    """Trainings of few epochs."""
    train = comparison.SETTINGS.train.model_copy(update={"max_epochs": 3})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(comparison, "SETTINGS", replace(comparison.SETTINGS, train=train))
        yield


@pytest.fixture
def no_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reports without their picture, which costs more than the rest."""
    monkeypatch.setattr(report, "_draw", lambda *given: None)


@pytest.fixture
def tiny(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, no_picture: None) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HGFN_WORKERS", "1")
    return write(tmp_path / "tiny.npz")


CFC = ("--seeds", 2, "--fusion", "cfc", "--mtl", "lsew", *SEVERAL)


def write(path: Path, **changes: Any) -> Path:
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 40, 3))
    Y = np.stack([a[:, 0] > 0, b[:, 0] > 0], axis=1).astype(np.int8)
    a[5, 1] = np.nan
    Y[7, 0] = -1
    np.savez(path, **({"view_a": a, "view_b": b, "Y": Y} | changes))
    return path


def compare(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["compare", *map(str, arguments)])


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Result]:
    """A folder with tiny.npz and what a comparison of CFC + LSEW over two seeds wrote and said."""
    folder = tmp_path_factory.mktemp("finished")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HGFN_WORKERS", "1")
        tiny = write(folder / "tiny.npz")
        return folder, compare(tiny, "--out", folder / "new" / "results", *CFC)


@pytest.fixture
def copied(
    finished: tuple[Path, Result], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> tuple[Path, Path]:
    """tiny.npz and its results, in a folder of this test alone."""
    monkeypatch.setenv("HGFN_WORKERS", "1")
    shutil.copytree(finished[0], tmp_path, dirs_exist_ok=True)
    return tmp_path / "tiny.npz", tmp_path / "new" / "results"


def test_a_tiny_file_ends_in_a_report(finished: tuple[Path, Result]) -> None:
    out, result = finished[0] / "new" / "results", finished[1]
    assert result.exit_code == 0, result.output
    files = {"comparison.md", "comparison.csv", "comparison.png", "runs.csv", "seconds.json"}
    assert {path.name for path in out.iterdir()} == {*files, "cells"}
    rows = {
        "hgfn_dmtl": "HGFN + DMTL",
        "cfc_lsew": "CFC + LSEW",
        "linear": "logistic regression, all views",
        "linear_a": "logistic regression, a",
        "linear_b": "logistic regression, b",
    }
    table = pd.read_csv(out / "comparison.csv")
    assert set(table["row"]) == set(rows)
    assert table.query("score == 'map'")["mean"].is_monotonic_decreasing
    assert table[["mean", "sd", "parameters", "seconds"]].notna().all(axis=None)
    assert table["low"].notna().equals(table["sd"] > 0)
    runs = pd.read_csv(out / "runs.csv")
    assert len(runs) == 2 * len(rows)
    assert set(runs["learning_rate"].dropna()) <= set(RATES)
    assert (runs["learning_rate"].isna() == runs["row"].str.startswith("linear")).all()
    trials = [f"hgfn_dmtl-{seed}-{rate}.json" for seed in (0, 1) for rate in RATES]
    assert {path.name for path in (out / "cells").glob("hgfn*.json")} == set(trials)
    text = (out / "comparison.md").read_text()
    assert text.startswith("# tiny: 40 rows, 2 labels, views a 3, b 3\n")
    assert all(title in text for title in rows.values())
    assert all(title in result.stdout for title in rows.values())
    with Image.open(out / "comparison.png") as picture:
        assert picture.size[0] > 500
        assert len(picture.convert("RGB").getcolors(10**6) or []) > 10


def test_a_finished_comparison_trains_nothing_and_writes_the_same(
    copied: tuple[Path, Path],
) -> None:
    tiny, out = copied
    before = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    assert compare(tiny, "--out", out, *CFC).exit_code == 0
    assert {path: path.read_bytes() for path in before} == before


def interval_width(out: Path) -> float:
    """Half the interval of a row's MAP, by its standard deviation over the seeds."""
    runs = pd.read_csv(out / "runs.csv").query("row == 'linear_b'")["map"]
    table = pd.read_csv(out / "comparison.csv").set_index(["row", "score"])
    row = table.loc[("linear_b", "map")]
    return float((row["high"] - row["mean"]) / runs.std())


# t(0.975) of one degree of freedom, for two seeds.
T = 12.7062


def test_intervals_are_corrected_for_random_splits_that_share_rows(
    finished: tuple[Path, Result],
) -> None:
    out = finished[0] / "new" / "results"
    assert interval_width(out) == pytest.approx(T * (1 / 2 + 8 / 24) ** 0.5, rel=1e-4)
    text = (out / "comparison.md").read_text()
    assert "variance (1/2 + 0.33) s^2, since the splits share rows" in text


def test_intervals_over_the_one_split_of_a_file_are_plain_and_unscored_labels_named(
    tiny: Path,
) -> None:
    rows = np.arange(40)
    labels = np.stack([rows % 2, rows // 2 % 2, rows // 4 % 2], axis=1)
    labels[24:32, 1], labels[32:, 2] = 0, 0
    a, b = np.random.default_rng(1).normal(size=(2, 40, 3))
    write(tiny, view_a=a, view_b=b, Y=labels, split=np.repeat(["train", "val", "test"], [24, 8, 8]))
    result = compare(tiny, "--seeds", 2, "--rows", "hgfn_dmtl")
    assert result.exit_code == 0, result.output
    runs = pd.read_csv("results/runs.csv").query("row == 'hgfn_dmtl'")["map"]
    table = pd.read_csv("results/comparison.csv").set_index(["row", "score"])
    row = table.loc[("hgfn_dmtl", "map")]
    expected = T * runs.std() * (1 / 2) ** 0.5
    assert row["high"] - row["mean"] == pytest.approx(expected, rel=1e-4)
    text = Path("results/comparison.md").read_text()
    assert "which does not say how much another split would change" in text
    for side, label in (("validation", "label_1"), ("test", "label_2")):
        note = f"left out of the means, without a positive {side} row: {label} (seeds 0, 1)"
        assert f"- {note}\n" in text
    assert "- Learning rate: 0.001; in brackets, how many seeds took it. " in text


def refused(*arguments: object) -> str:
    result = compare(*arguments)
    assert result.exit_code == 1
    assert result.stdout == ""
    assert not Path("results").exists()
    (line,) = result.stderr.splitlines()
    return line


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"view_b": np.ones((39, 3))}, "view_b has 39 rows, Y has 40"),
        ({"Y": np.zeros((40, 2))}, "no label has positives and negatives among the training rows"),
    ],
)
def test_bad_input_is_one_line_before_anything_is_written(
    tiny: Path, changes: dict[str, Any], message: str
) -> None:
    assert refused(write(tiny, **changes)) == f"error: {tiny}: {message}"


def test_a_missing_file_unknown_names_and_bad_rates_are_one_line(
    tiny: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert refused("none.npz") == "error: none.npz: no such file"
    assert refused(tiny, "--fusion", "sum") == (
        f"error: --fusion is 'sum'; allowed: {', '.join(FUSIONS)}"
    )
    assert refused(tiny, "--mtl", "sum") == f"error: --mtl is 'sum'; allowed: {', '.join(METHODS)}"
    for rate in ("0", "nan", "inf"):
        message = f"error: --learning-rate is {rate}; allowed: numbers above 0"
        assert refused(tiny, "--learning-rate", "0.001", "--learning-rate", rate) == message
    monkeypatch.setenv("HGFN_WORKERS", "0")
    assert refused(tiny) == "error: HGFN_WORKERS is '0'; allowed: a whole number from 1"


def test_no_seed_is_no_comparison(tiny: Path) -> None:
    result = compare(tiny, "--seeds", 0)
    assert result.exit_code == 2
    assert "--seeds" in result.stderr


def test_a_label_that_training_lacks_is_left_out_and_named(tiny: Path) -> None:
    labels = np.stack([np.zeros(40), np.arange(40) % 2, np.arange(40) // 2 % 2], axis=1)
    write(tiny, Y=labels, labels=np.array(["fire", "flood", "quake"]))
    result = compare(tiny, "--seeds", 1, "--rows", "linear_a")
    assert result.exit_code == 0, result.output
    assert result.stdout.splitlines()[0] == (
        "left out (a training side has rows of one class of it at most): fire (seed 0)"
    )
    text = Path("results/comparison.md").read_text()
    assert "2 labels" in text.splitlines()[0]
    assert f"- {result.stdout.splitlines()[0]}\n" in text


def test_a_further_seed_that_leaves_out_a_further_label_is_refused_with_that_reason(
    tiny: Path,
) -> None:
    rare = np.arange(40) == 0  # in training for seed 0, but not for every seed
    write(tiny, Y=np.stack([rare, np.arange(40) % 2, np.arange(40) // 2 % 2], axis=1).astype(int))
    chosen = ("--rows", "linear_a")
    first = compare(tiny, "--seeds", 1, *chosen)
    assert first.exit_code == 0, first.output
    assert "left out" not in first.output
    result = compare(tiny, "--seeds", 9, *chosen)
    (seed,) = re.findall(r"label_0 \(seed (\d)\)", result.stdout)
    assert result.stderr == (
        f"error: results/cells: the split of seed {seed} leaves out label_0, or a class of it, "
        "with which these cells were trained, so all rows must be trained again; take another "
        "--out folder, or delete this one\n"
    )


def diverge(out: Path, seed: int, rate: float) -> None:
    """Make a cell as `train_cell` makes it of a training that diverges."""
    path = out / "cells" / f"cfc_lsew-{seed}-{rate}.json"
    values = json.loads(path.read_text())
    values["facts"] = {"failed": "training diverged"}
    path.write_text(json.dumps(values))
    table = path.with_suffix(".parquet")
    write_table(table, read_table(table)[["id"]])


def test_a_row_that_diverges_at_every_rate_has_dashes_and_a_note_and_the_others_go_on(
    copied: tuple[Path, Path], no_picture: None
) -> None:
    tiny, out = copied
    for seed, rate in ((0, RATES[1]), (1, RATES[0]), (1, RATES[1])):
        diverge(out, seed, rate)
    result = compare(tiny, "--out", out, *CFC)
    assert result.exit_code == 0, result.output
    assert result.stdout.splitlines()[-2].split() == ["CFC", "+", "LSEW", "MAP", "–"]  # noqa: RUF001
    text = (out / "comparison.md").read_text()
    assert "| CFC + LSEW | – | – | – | – |" in text  # noqa: RUF001
    assert "- 3 of 14 trainings diverged and are not chosen; " in text
    assert "CFC + LSEW (seed 1, rate 0.0003), CFC + LSEW (seed 1, rate 0.003)" in text
    assert "nan" not in text
    assert "nan" not in result.output
    runs = pd.read_csv(out / "runs.csv").set_index(["row", "seed"])
    assert runs.loc[("cfc_lsew", 0), "learning_rate"] == RATES[0]
    assert runs.loc[("cfc_lsew", 0), "map"] > 0
    assert runs["map"].isna().sum() == 1
