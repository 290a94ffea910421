"""What stands in Tables I-V, and which rows are compared."""

from __future__ import annotations

import math

import numpy as np
import pytest

from pipeline.evaluation import paper
from pipeline.evaluation.bootstrap import Estimate
from pipeline.evaluation.estimates import Estimates
from pipeline.evaluation.tables import compare, row_title, tables_of


def constant(value: float) -> Estimate:
    return Estimate(np.array([value, value + 0.02]), np.linspace(value, value + 0.02, 201))


def rows(**values: tuple[float, float, float]) -> dict[str, Estimates]:
    return {
        row: {("damage", s): constant(v) for s, v in zip(paper.SCORES, scores, strict=True)}
        for row, scores in values.items()
    }


def test_rows_are_titled_as_the_paper_does() -> None:
    assert row_title("cfc_mtinet") == "CFC + MTI-NET"
    assert row_title("hgfn_dmtl") == "HGFN + DMTL"


def test_crisismmd_has_three_tables_of_three_scores() -> None:
    tables = tables_of("crisismmd", ["informative", "humanitarian", "damage"])
    assert [table.number for table in tables] == [1, 2, 3]
    assert [c.label for c in tables[0].columns] == ["F1", "HL", "MAP"]
    assert tables[2].columns[1].paper["hgfn_dmtl"] == 0.029
    assert "dmf_lsew" not in tables[2].columns[1].paper


def test_a_task_that_was_not_trained_has_no_table() -> None:
    assert [t.number for t in tables_of("crisismmd", ["damage"])] == [3]


def test_youtube_has_its_means_and_one_accuracy_a_concept_in_the_papers_order() -> None:
    means, accuracies = tables_of("youtube", ["briefing", "own_concept", "victim"])
    assert {c.task for c in means.columns} == {"mean"}
    assert [c.task for c in accuracies.columns] == ["victim", "briefing", "own_concept"]
    assert accuracies.columns[0].paper["hgfn_dmtl"] == 0.917
    assert accuracies.columns[2].paper == {}


def test_the_best_other_row_has_the_highest_f1_and_the_lowest_hamming_loss() -> None:
    table = tables_of("crisismmd", ["damage"])[0]
    found = compare(
        table, rows(cfc_lsew=(0.5, 0.3, 0.5), gfn_lsew=(0.6, 0.1, 0.7), hgfn_dmtl=(0.7, 0.2, 0.6))
    ).set_index(["row", "score"])
    assert found.loc[("cfc_lsew", "f1"), "best_other"] == "hgfn_dmtl"
    assert found.loc[("cfc_lsew", "hl"), "best_other"] == "gfn_lsew"
    assert found.loc[("hgfn_dmtl", "f1"), "best_other"] == "gfn_lsew"
    assert found.loc[("hgfn_dmtl", "f1"), "best_other_mean"] == pytest.approx(0.1)
    assert found.loc[("hgfn_dmtl", "f1"), "reference_mean"] == pytest.approx(0.2)
    assert found.loc[("gfn_lsew", "hl"), "reference_mean"] == pytest.approx(-0.2)


def test_the_reference_has_no_difference_to_itself() -> None:
    table = tables_of("crisismmd", ["damage"])[0]
    found = compare(table, rows(cfc_lsew=(0.5, 0.3, 0.5), gfn_lsew=(0.6, 0.1, 0.7)))
    own = found[found["row"] == "cfc_lsew"]
    assert own["reference_mean"].isna().all()
    assert own["reference"].isna().all()


def test_one_row_alone_is_compared_with_nothing() -> None:
    found = compare(tables_of("crisismmd", ["damage"])[0], rows(gfn_lsew=(0.6, 0.1, 0.7)))
    assert found["best_other_mean"].isna().all()
    assert found["reference_mean"].isna().all()


def test_mean_sd_and_interval_stand_as_estimated() -> None:
    found = compare(tables_of("crisismmd", ["damage"])[0], rows(cfc_lsew=(0.5, 0.3, 0.5)))
    line = found.iloc[0]
    assert line["mean"] == pytest.approx(0.51)
    assert line["sd"] == pytest.approx(0.02 / math.sqrt(2))
    assert (line["low"], line["high"]) == pytest.approx((0.5005, 0.5195))
    assert line["paper"] == 0.634
