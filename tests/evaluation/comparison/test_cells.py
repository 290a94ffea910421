from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
import torch

from pipeline.datasets.views import Views
from pipeline.evaluation.comparison import cells
from pipeline.evaluation.comparison.cells import compare
from pipeline.evaluation.comparison.rows import (
    Recipe,
    Result,
    Row,
    comparison_rows,
    run_row,
    view_examples,
)
from pipeline.evaluation.comparison.runs import identity, read_runs, write_runs

PATH = Path("tiny.npz")
RECIPE = Recipe(max_epochs=2, width=8, batch_size=16)
ROWS = comparison_rows(["a", "b"], ["hgfn"], ["dmtl"])


def tiny(missing: bool = True) -> Views:
    """Sixty rows whose labels are signs of features, with some rows of a view missing."""
    rng = np.random.default_rng(0)
    features = {name: rng.normal(size=(60, 3)).astype(np.float32) for name in ("a", "b")}
    labels = np.stack([features["a"][:, 0] > 0, features["b"][:, 0] > 0.5], axis=1).astype(np.int64)
    labels[3, 1] = -1
    if missing:
        features["a"][::7] = np.nan
    return Views(features, labels, ("left", "right"), np.arange(60), None)


def run(out: Path, seeds: int = 2, workers: int = 1, recipe: Recipe = RECIPE) -> list[Result]:
    return compare(PATH, tiny(), ROWS, range(seeds), out, workers, recipe)


def scores(results: list[Result]) -> list[dict[str, object]]:
    return [{**asdict(result), "seconds": None} for result in results]


def test_the_rows_are_every_pair_then_logistic_regression_on_all_and_on_each_view() -> None:
    rows = comparison_rows(["a", "b"], ["hgfn", "cfc"], ["dmtl", "moo"])
    assert [row.name for row in rows] == [
        "hgfn + dmtl",
        "hgfn + moo",
        "cfc + dmtl",
        "cfc + moo",
        "logistic regression, all views",
        "logistic regression, a",
        "logistic regression, b",
    ]
    assert len(comparison_rows(["a"], [], [])) == 1


@pytest.mark.slow
def test_results_do_not_depend_on_the_number_of_workers(tmp_path: Path) -> None:
    one = run(tmp_path / "one", workers=1)
    assert scores(run(tmp_path / "two", workers=2)) == scores(one)


def test_every_row_learns_what_is_there_to_learn() -> None:
    rng = np.random.default_rng(1)
    a = rng.normal(size=(300, 2)).astype(np.float32)
    b = rng.normal(size=(300, 2)).astype(np.float32)
    labels = np.stack([a[:, 0] > 0, b[:, 0] > 0], axis=1).astype(np.int64)
    views = Views({"a": a, "b": b}, labels, ("left", "right"), np.arange(300), None)
    split = np.repeat(["train", "val", "test"], 100)
    recipe = Recipe(width=16, max_epochs=40)
    both = {row.name: run_row(row, views, split, 0, recipe).map for row in ROWS}
    assert both["hgfn + dmtl"] > 0.95
    assert both["logistic regression, all views"] > 0.95
    # One view knows one label and guesses at the other.
    assert 0.6 < both["logistic regression, a"] < 0.9


def test_absent_rows_are_sequences_of_no_step() -> None:
    views = tiny()
    examples = view_examples(views, np.repeat("train", 60))
    assert examples.present("a").tolist() == [row % 7 != 0 for row in range(60)]
    assert examples.present("b").all()
    assert all(np.isfinite(array).all() for array in examples.sequences["a"])
    assert examples.dims == {"a": 3, "b": 3}


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    """The cells that are really run."""
    ran: list[tuple[str, int]] = []
    original: Callable[..., Result] = run_row

    def count(row: Row, views: Views, split: np.ndarray, seed: int, recipe: Recipe) -> Result:
        ran.append((row.name, seed))
        return original(row, views, split, seed, recipe)

    monkeypatch.setattr(cells, "run_row", count)
    return ran


def test_a_new_seed_costs_its_own_cells(tmp_path: Path, counted: list[tuple[str, int]]) -> None:
    first = run(tmp_path, seeds=1)
    assert counted == [(row.name, 0) for row in ROWS]
    counted.clear()
    both = run(tmp_path, seeds=2)
    assert counted == [(row.name, 1) for row in ROWS]
    assert both[: len(ROWS)] == first
    counted.clear()
    assert run(tmp_path, seeds=1) == first
    assert not counted
    assert len((tmp_path / "runs.csv").read_text().splitlines()) == 1 + 2 * len(ROWS)


def test_an_interrupted_comparison_goes_on_where_it_was(
    tmp_path: Path, counted: list[tuple[str, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    original = cells.run_row

    def interrupted(*arguments: object) -> Result:
        if len(counted) == 2:
            raise KeyboardInterrupt
        return original(*arguments)

    with monkeypatch.context() as patched:
        patched.setattr(cells, "run_row", interrupted)
        with pytest.raises(KeyboardInterrupt):
            run(tmp_path)
    done = list(counted)
    run(tmp_path)
    assert len(counted) == len(set(counted)) == 2 * len(ROWS)
    assert counted[:2] == done
    assert [path.name for path in tmp_path.iterdir()] == ["runs.csv"]


def test_a_failing_cell_is_told_with_its_row_and_seed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> Result:
        raise ValueError("training diverged")

    monkeypatch.setattr(cells, "run_row", fail)
    with pytest.raises(ValueError, match=r"^hgfn \+ dmtl, seed 0: training diverged$"):
        run(tmp_path)


def test_the_number_of_threads_is_given_back(tmp_path: Path) -> None:
    before = torch.get_num_threads()
    run(tmp_path, seeds=1)
    assert torch.get_num_threads() == before


def test_the_identity_sees_every_array_and_every_setting() -> None:
    views = tiny(missing=False)
    features = {"a": views.features["a"] + 1, "b": views.features["b"]}
    others = [
        replace(views, features=features),
        replace(views, features={"c": views.features["a"], "b": views.features["b"]}),
        replace(views, labels=1 - views.labels),
        replace(views, names=("right", "left")),
        replace(views, groups=views.groups // 2),
        replace(views, split=np.repeat("train", 60)),
    ]
    known = {identity(views, RECIPE), *(identity(other, RECIPE) for other in others)}
    known |= {identity(views, replace(RECIPE, dropout=0.1))}
    assert len(known) == 2 + len(others)
    assert identity(tiny(missing=False), replace(RECIPE)) == identity(views, RECIPE)


def test_runs_are_read_as_they_were_written(tmp_path: Path) -> None:
    result = Result('a, "b"', 3, 1 / 3, 0.1, 0.2, 0.3, parameters=10**9, seconds=1e-9)
    write_runs(tmp_path / "new" / "runs.csv", [result], "x")
    assert read_runs(tmp_path / "new" / "runs.csv", "x") == {('a, "b"', 3): result}


def test_runs_of_other_data_are_never_mixed_in(tmp_path: Path) -> None:
    run(tmp_path, seeds=1)
    with pytest.raises(ValueError, match=r"runs.csv: line 2 is of other data or settings; take"):
        run(tmp_path, recipe=replace(RECIPE, width=4))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "not a table of this command's runs"),
        ("row,map\n", "not a table of this command's runs"),
        ("{head}\nx,hgfn + dmtl,0,much,0,0,0,1,1\n", "line 2 is damaged"),
        ("{head}\nx,hgfn + dmtl,0\n", "line 2 is damaged"),
    ],
)
def test_a_damaged_runs_file_is_told(tmp_path: Path, text: str, told: str) -> None:
    head = "identity,row,seed,map,macro_f1,micro_f1,hamming_loss,parameters,seconds"
    path = tmp_path / "runs.csv"
    path.write_text(text.format(head=head))
    with pytest.raises(ValueError, match=f"{told}; take another --out folder, or delete the file"):
        read_runs(path, "x")
