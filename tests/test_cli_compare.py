from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from typer.testing import CliRunner, Result

from pipeline.cli import app


@pytest.fixture
def tiny(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HGFN_WORKERS", "1")
    return write(tmp_path / "tiny.npz")


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


def test_a_tiny_file_ends_in_four_files(tiny: Path) -> None:
    result = compare(tiny, "--seeds", 2, "--out", "new/out", "--fusion", "cfc", "--mtl", "lsew")
    assert result.exit_code == 0, result.output
    out = Path("new/out")
    expected = {"comparison.md", "comparison.csv", "comparison.png", "runs.csv"}
    assert {path.name for path in out.iterdir()} == expected
    rows = {
        "hgfn + dmtl",
        "cfc + lsew",
        "logistic regression, all views",
        "logistic regression, a",
        "logistic regression, b",
    }
    table = pd.read_csv(out / "comparison.csv")
    assert set(table["row"]) == rows
    assert table["map"].is_monotonic_decreasing
    assert table.notna().all(axis=None)
    assert len(pd.read_csv(out / "runs.csv")) == 2 * len(rows)
    text = (out / "comparison.md").read_text()
    assert text.startswith("# tiny: 40 rows, 2 labels, views a 3, b 3\n")
    assert all(row in text for row in rows)
    assert all(row in result.stdout for row in rows)
    with Image.open(out / "comparison.png") as picture:
        assert picture.size[0] > 500
        assert len(picture.convert("RGB").getcolors(10**6) or []) > 10
    before = {path: path.read_bytes() for path in out.iterdir()}
    again = compare(tiny, "--seeds", 2, "--out", "new/out", "--fusion", "cfc", "--mtl", "lsew")
    assert again.exit_code == 0
    assert {path: path.read_bytes() for path in out.iterdir()} == before


def refused(*arguments: object) -> str:
    result = compare(*arguments)
    assert result.exit_code == 1
    assert result.stdout == ""
    assert not Path("results").exists()
    (line,) = result.stderr.splitlines()
    return line


FAULTS: list[tuple[dict[str, Any], str]] = [
    ({"view_b": np.ones((39, 3))}, "view_b has 39 rows, Y has 40"),
    (
        {"view_b": np.array([[None]] * 40)},
        "view_b is an array of Python objects, which is never unpickled; save plain numbers",
    ),
    ({"view_b": np.full((40, 1), "x")}, "view_b has dtype <U1; expected numbers"),
    (
        {"Y": np.array([[0, 1], [0, 0]] * 20), "labels": np.array(["fire", "flood"])},
        "label fire has no positive among the training rows in the split of seed 0; leave it out, "
        "or bring a split that shows it to training",
    ),
    (
        {"split": np.array(["train", "val"] * 20)},
        "split has no test row; bring all of train, val, test",
    ),
]


@pytest.mark.parametrize(("changes", "told"), FAULTS, ids=[told[:30] for _, told in FAULTS])
def test_bad_input_is_one_line_before_anything_is_written(
    tiny: Path, changes: dict[str, Any], told: str
) -> None:
    assert refused(write(tiny, **changes)) == f"error: {tiny}: {told}"


def test_a_missing_file_and_unknown_names_are_one_line(
    tiny: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert refused("none.npz") == "error: none.npz: no such file"
    assert refused(tiny, "--fusion", "sum") == (
        "error: --fusion is 'sum'; allowed: hgfn, cfc, dmf, gfn, matf"
    )
    assert refused(tiny, "--mtl", "pcgrad") == (
        "error: --mtl is 'pcgrad'; allowed: dmtl, lsew, moo, mtinet"
    )
    monkeypatch.setenv("HGFN_WORKERS", "0")
    assert refused(tiny) == "error: HGFN_WORKERS is '0'; allowed: a whole number from 1"


def test_no_seed_is_no_comparison(tiny: Path) -> None:
    result = compare(tiny, "--seeds", 0)
    assert result.exit_code == 2
    assert "--seeds" in result.stderr
