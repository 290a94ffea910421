"""A cell: what its training learns, what decides it, and its files."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from pipeline.evaluation.comparison import cells
from pipeline.evaluation.comparison.cells import (
    Cell,
    Problem,
    Settings,
    Training,
    identity,
    read_cell,
    train_cell,
    write_cell,
)
from pipeline.evaluation.comparison.rows import Row
from pipeline.mtl import Task

HGFN = Training(Row("hgfn", "dmtl"), 0, 1e-3)


def test_every_row_learns_what_its_views_hold(
    made: Callable[[int], Problem], settings: Settings
) -> None:
    problem = made(300)
    longer = replace(settings, train=settings.train.model_copy(update={"max_epochs": 40}))
    accuracy = {}
    for row in (HGFN.row, Row(), Row(view="a")):
        cell, seconds = train_cell(problem, longer, Training(row, 0, 3e-3))
        truth = problem.examples.targets["right"][problem.examples.rows("test")]
        predicted = cell.probabilities["right"][-len(truth) :].argmax(axis=1)
        accuracy[row] = (predicted == truth).mean()
        assert seconds > 0
    assert accuracy[HGFN.row] > 0.9
    assert accuracy[Row()] > 0.9
    assert accuracy[Row(view="a")] < 0.8  # the label is a sign in view b


def test_a_cell_holds_validation_rows_then_test_rows(problem: Problem, settings: Settings) -> None:
    ids, examples = np.array(problem.examples.ids), problem.examples
    for row in (HGFN.row, Row()):
        cell, _ = train_cell(problem, settings, replace(HGFN, row=row))
        assert cell.ids == [*ids[examples.rows("val")], *ids[examples.rows("test")]]
        assert set(cell.probabilities) == {"left", "right"}
        for probabilities in cell.probabilities.values():
            np.testing.assert_allclose(probabilities.sum(axis=1), np.ones(len(cell.ids)), 1e-6)


def test_a_training_that_diverges_is_a_cell_that_says_so(
    problem: Problem, settings: Settings
) -> None:
    cell, _ = train_cell(problem, settings, replace(HGFN, rate=1e30))
    assert not cell.probabilities
    assert "training diverged" in cell.facts["failed"]


def test_an_error_names_row_and_seed(problem: Problem, settings: Settings) -> None:
    for labels in problem.examples.targets.values():
        labels[problem.examples.rows("val")] = -1
    with pytest.raises(ValueError, match=r"^HGFN \+ DMTL, seed 0: no validation row has a label"):
        train_cell(problem, settings, HGFN)


def examples(**change: Callable[[Any], Any]) -> Callable[[Problem], Problem]:
    """Change one field of the examples."""
    ((name, function),) = change.items()
    return lambda problem: replace(
        problem,
        examples=replace(problem.examples, **{name: function(getattr(problem.examples, name))}),
    )


OTHER_DATA: dict[str, Callable[[Problem], Problem]] = {
    "ids": examples(ids=lambda ids: ids[::-1]),
    "names": examples(sequences=lambda views: {"c": views["a"], "b": views["b"]}),
    "views": examples(sequences=lambda views: {n: [x + 1 for x in v] for n, v in views.items()}),
    "labels": examples(targets=lambda labels: {n: 1 - v for n, v in labels.items()}),
    "split": examples(split=lambda split: np.roll(split, 1)),
    "seed's split": lambda p: replace(p, splits={0: np.roll(p.examples.split, 1)}),
    "tasks": lambda p: replace(p, tasks=p.tasks[::-1]),
    "encoder": lambda p: replace(p, encoder="bigru"),
}


@pytest.mark.parametrize("change", OTHER_DATA.values(), ids=OTHER_DATA)
def test_a_cells_identity_depends_on_all_data(
    problem: Problem, settings: Settings, change: Callable[[Problem], Problem]
) -> None:
    expected = identity(problem, settings, HGFN)
    assert identity(replace(problem), settings, HGFN) == expected
    assert identity(change(problem), settings, HGFN) != expected


def params(part: str, **changes: Any) -> Callable[[Settings], Settings]:
    return lambda s: replace(s, **{part: getattr(s, part).model_copy(update=changes)})


@pytest.mark.parametrize(
    "change", [params("fusion", width=9), params("mtl", alpha=0.5), params("train", dropout=0.1)]
)
def test_a_cells_identity_depends_on_the_settings_of_networks_alone(
    problem: Problem, settings: Settings, change: Callable[[Settings], Settings]
) -> None:
    assert identity(problem, settings, HGFN) != identity(problem, change(settings), HGFN)
    linear = Training(Row(), 0)
    assert identity(problem, settings, linear) == identity(problem, change(settings), linear)


def test_all_rows_learn_the_same_few_labels(
    problem: Problem, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    few = params("train", shots=2)(settings)
    seen = []
    for name in ("_network", "_baseline"):
        monkeypatch.setattr(cells, name, lambda *given: seen.append(given) or ({}, {}))
    for row in (HGFN.row, Row()):
        train_cell(problem, few, replace(HGFN, row=row))
        assert identity(problem, few, replace(HGFN, row=row)) != identity(
            problem, settings, replace(HGFN, row=row)
        )
    (network, linear) = (given[1] for given in seen)
    assert network.split.tolist() == linear.split.tolist()
    for name, targets in network.targets.items():
        assert targets.tolist() == linear.targets[name].tolist()
        assert (targets[network.rows("train")] == 1).sum() == 2


@pytest.mark.parametrize(
    "other", [{"seed": 1}, {"rate": 0.1}, {"row": Row("cfc", "dmtl")}], ids=str
)
def test_a_cells_identity_depends_on_its_training(
    problem: Problem, settings: Settings, other: dict[str, Any]
) -> None:
    expected = identity(problem, settings, HGFN)
    assert identity(problem, settings, replace(HGFN, **other)) != expected


def test_texts_change_the_row_that_reads_them_and_no_other(
    problem: Problem, settings: Settings
) -> None:
    others = [replace(problem, texts=(text,) * 60) for text in ("flood", "fire")]
    for row, read in ((Row(baseline="text_linear"), True), (Row(), False), (HGFN.row, False)):
        first, second = (identity(p, settings, Training(row, 0, 1e-3)) for p in others)
        assert (first != second) == read


def test_a_network_on_one_view_learns_what_that_view_holds(
    problem: Problem, settings: Settings
) -> None:
    alone = replace(HGFN, row=replace(HGFN.row, view="a"))
    cell, _ = train_cell(problem, settings, alone)
    of_one = replace(problem, examples=problem.examples.keep(["a"]))
    expected, _ = train_cell(of_one, settings, HGFN)
    for task in problem.tasks:
        np.testing.assert_array_equal(
            cell.probabilities[task.name], expected.probabilities[task.name]
        )


# Dots, slashes and letters of other alphabets stand in names of labels and views.
ODD = Task("a.p/ü", ("absent", "x.p.y"), head="sigmoid")


def test_a_cell_is_read_as_it_was_written(tmp_path: Path) -> None:
    random = np.random.default_rng(0).random((3, 2))
    cell = Cell(["1", "ü", "x/y"], {ODD.name: random}, {"parameters": 10**9}, "digest")
    name = Training(Row(view="a/b ü"), 3).name
    write_cell(tmp_path, name, cell, [ODD])
    assert {path.name for path in tmp_path.iterdir()} == {f"{name}.json", f"{name}.parquet"}
    stored = read_cell(tmp_path, name, [Task("other", ("no", "yes")), ODD])
    assert stored
    assert replace(stored, probabilities={}) == replace(cell, probabilities={})
    assert list(stored.probabilities) == [ODD.name]
    np.testing.assert_array_equal(stored.probabilities[ODD.name], random)
    assert read_cell(tmp_path, "other", [ODD]) is None


def test_a_cell_whose_replacement_was_cut_off_does_not_exist(tmp_path: Path) -> None:
    def cell(value: float, **facts: float) -> Cell:
        return Cell(["1"], {ODD.name: np.full((1, 2), value)}, facts, "old")

    write_cell(tmp_path, "x", cell(0.1), [ODD])
    with pytest.raises(ValueError, match="JSON"):  # after the Parquet file, before the JSON file
        write_cell(tmp_path, "x", cell(0.9, parameters=float("nan")), [ODD])
    assert read_cell(tmp_path, "x", [ODD]) is None


def test_a_cell_of_an_older_format_fits_nothing(tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text('{"facts": {}, "identity": "digest"}')
    pd.DataFrame({"id": ["1"]}).to_parquet(tmp_path / "x.parquet", index=False)
    assert read_cell(tmp_path, "x", [ODD]) == Cell([], {}, {}, "")


@pytest.mark.parametrize("suffix", ["json", "parquet"])
def test_a_damaged_cell_is_an_error_with_its_cure(tmp_path: Path, suffix: str) -> None:
    write_cell(tmp_path, "x", Cell([], {}, {}, ""), [])
    (tmp_path / f"x.{suffix}").write_text("cut")
    with pytest.raises(ValueError, match=r"x: the cell is damaged; delete its two files"):
        read_cell(tmp_path, "x", [])
