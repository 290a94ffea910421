"""Rows: their names, variants with other settings, and which rows are compared by default."""

from __future__ import annotations

import pickle
import re
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.evaluation.comparison import paper
from pipeline.evaluation.comparison.cells import Problem, Settings, Training, identity, train_cell
from pipeline.evaluation.comparison.compare import SETTINGS
from pipeline.evaluation.comparison.rows import (
    VARIANTS,
    Row,
    compared_row,
    network_rows,
    row_named,
)
from pipeline.models.fusion import FUSIONS, fusion_class
from pipeline.mtl import METHODS, method_class
from pipeline.params import check_component, load_params

ROOT = Path(__file__).resolve().parents[3]


def test_every_fusion_goes_with_every_method_under_the_name_of_both() -> None:
    for fusion in FUSIONS:
        for method in METHODS:
            assert row_named(f"{fusion}_{method}") == Row(fusion, method)


@pytest.mark.parametrize("name", ["lsew_cfc", "hgfn", "hgfn_dmtl_no_rest"])
def test_an_unknown_row_is_an_error_that_lists_what_there_is(name: str) -> None:
    with pytest.raises(ValueError, match="one of hgfn, gfn") as error:
        row_named(name)
    for known in (*FUSIONS, *METHODS, *VARIANTS):
        assert known in str(error.value)


def test_the_papers_names_are_in_capitals_and_the_others_are_not() -> None:
    assert Row("cfc", "mtinet").title == "CFC + MTI-NET"
    assert Row("projected", "lsew").title == "projected + LSEW"


@pytest.mark.parametrize("row", VARIANTS.values(), ids=VARIANTS)
def test_a_variant_differs_from_its_pair_in_settings_that_exist(row: Row) -> None:
    assert row_named(row.name) is row
    assert row.name not in {f"{fusion}_{method}" for fusion in FUSIONS for method in METHODS}
    assert row.title not in {Row(f, m).title for f in FUSIONS for m in METHODS}
    assert len({r.title for r in VARIANTS.values()}) == len(VARIANTS)
    params = load_params(ROOT / "params.yaml")
    for base in (SETTINGS, Settings(params.fusion, params.mtl, params.train)):
        own = base.of(Training(row, 0, 0.1))
        assert own != base.of(Training(Row(row.fusion, row.mtl), 0, 0.1))
        assert own.train.learning_rate == 0.1
        check_component("fusion", own.fusion, FUSIONS, fusion_class)
        check_component("mtl", own.mtl, METHODS, method_class)


@pytest.mark.parametrize("row", VARIANTS.values(), ids=VARIANTS)
def test_a_variant_trains(problem: Problem, settings: Settings, row: Row) -> None:
    cell, _ = train_cell(problem, settings, Training(row, 0, 1e-3))
    assert set(cell.probabilities) == {"left", "right"}


CHANGED = Row(
    "hgfn", "dmtl", "", "mine", "mine", {"mtl.options.rebalance": "none", "train.monitor": "map"}
)


def test_a_variants_changes_reach_its_training_and_no_other() -> None:
    base = replace(SETTINGS, mtl=SETTINGS.mtl.model_copy(update={"options": {"rate": "raw"}}))
    own = base.of(Training(CHANGED, 0, 0.1))
    assert own.mtl.options == {"rate": "raw", "rebalance": "none"}
    assert own.train.monitor == "map"
    other = base.of(Training(Row("hgfn", "dmtl"), 0, 0.1))
    assert other.mtl.options == {"rate": "raw"}
    assert other.train.monitor == "loss"


@pytest.mark.parametrize(("key", "value"), [("train.patiense", 3), ("train.patience", 0)])
def test_a_change_that_params_yaml_would_refuse_is_an_error(key: str, value: int) -> None:
    with pytest.raises(ValueError, match=key.split(".")[1]):
        SETTINGS.of(Training(replace(CHANGED, changes={key: value}), 0, 0.1))


def test_a_cells_identity_depends_on_the_changes(problem: Problem) -> None:
    values = [
        identity(problem, SETTINGS, Training(replace(CHANGED, changes=changes), 0, 0.1))
        for changes in ({}, {"train.monitor": "map"}, {"mtl.options.rebalance": "none"})
    ]
    assert len(set(values)) == 3


def test_a_row_can_be_a_key_and_be_sent_to_another_process() -> None:
    again = pickle.loads(pickle.dumps(CHANGED))
    assert {CHANGED: 1}[again] == 1
    assert replace(again, changes={}) != CHANGED


def test_default_rows_are_the_papers_the_control_with_cheap_methods_and_the_variants() -> None:
    names = [row.name for row in network_rows()]
    assert set(paper.INFORMATIVE) <= set(names)
    assert {f"projected_{method}" for method in METHODS if method != "mtinet"} <= set(names)
    assert {f"{fusion}_{m}" for fusion in FUSIONS for m in ("lsew", "dmtl")} <= set(names)
    assert set(VARIANTS) <= set(names)
    assert len(names) == len(set(names)) < len(FUSIONS) * len(METHODS) + len(VARIANTS)


def test_chosen_rows_are_every_pair_of_the_choice() -> None:
    assert network_rows(["cfc"], ["moo", "lsew"]) == [Row("cfc", "moo"), Row("cfc", "lsew")]
    assert network_rows(methods=["moo"]) == [Row(fusion, "moo") for fusion in FUSIONS]
    assert network_rows(["dmf"]) == [Row("dmf", method) for method in METHODS]


def test_a_row_on_one_view_and_every_baseline_has_a_name_that_chooses_it() -> None:
    views = ["text", "visual"]
    names = ["linear", "linear_text", "text_linear", "majority", "ours", "ours_visual"]
    names += ["hgfn_dmtl", "hgfn_dmtl_text", "hgfn_dmtl_no_reset_text"]
    rows = [compared_row(name, views, texts=True) for name in names]
    assert [row.name for row in rows] == names
    assert len({row.title for row in rows}) == len(rows)
    assert compared_row("ours_visual", views, True) == replace(VARIANTS["ours"], view="visual")
    assert compared_row("ours_cfc", ["cfc"], True) == VARIANTS["ours_cfc"]


@pytest.mark.parametrize("name", ["ours_audio", "linear_audio", "text_linear_text", "visual", ""])
def test_a_name_of_no_row_lists_those_that_there_are(name: str) -> None:
    with pytest.raises(ValueError, match=r"^--rows has .*allowed: linear, .*as in ours_text$"):
        compared_row(name, ["text", "visual"], texts=True)
    with pytest.raises(ValueError, match=r"^--rows has 'majority', a row of data sets alone"):
        compared_row("majority", ["text"], texts=False)


@pytest.mark.parametrize("page", ["params.yaml", "docs/ours.md"])
def test_the_settings_on_the_command_line_are_those_of_the_row_of_ours(page: str) -> None:
    text = (ROOT / page).read_text()
    settings = dict(re.findall(r"-S ([\w.]+)=([\w.]+)", text.partition("fusion.name=projected")[2]))
    row = VARIANTS["ours"]
    expected = {"mtl.name": row.mtl, **{key: str(value) for key, value in row.changes.items()}}
    assert {key: settings[key] for key in expected} == expected
    assert row.fusion == "projected"
