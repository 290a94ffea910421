"""A report: the rows that are compared, its Markdown, and its picture."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipeline.evaluation.comparison.cells import Row
from pipeline.evaluation.comparison.compare import SETTINGS
from pipeline.evaluation.comparison.estimates import MEAN, Estimate
from pipeline.evaluation.comparison.report import (
    Column,
    Report,
    networks_note,
    scores,
    write_report,
)
from pipeline.params import FusionParams

CFC, GFN, HGFN = Row("cfc", "lsew"), Row("gfn", "mtinet"), Row("hgfn", "dmtl")
COLUMNS = [
    Column("damage", "f1", "F1", {"cfc_lsew": 0.634}),
    Column("damage", "hl", "HL", {"cfc_lsew": 0.229}),
]


def constant(value: float) -> Estimate:
    return Estimate(np.array([value, value + 0.01]), np.linspace(value, value + 0.01, 101))


def report(rows: dict[Row, tuple[float, float]]) -> Report:
    estimates = {
        row: {(c.task, c.score): constant(v) for c, v in zip(COLUMNS, values, strict=True)}
        for row, values in rows.items()
    }
    facts = {row: {"parameters": 886410, "learning_rate": 0.001} for row in rows}
    return Report("Damage", COLUMNS, estimates, facts, CFC, ["One note.", "Another."])


THREE = report({CFC: (0.5, 0.3), GFN: (0.6, 0.1), HGFN: (0.7, 0.2)})


def test_the_best_other_row_has_the_highest_f1_and_the_lowest_hamming_loss() -> None:
    table = scores(THREE).set_index(["row", "score"])
    assert table.loc[("cfc_lsew", "f1"), "best_other"] == "hgfn_dmtl"
    assert table.loc[("cfc_lsew", "hl"), "best_other"] == "gfn_mtinet"
    assert table.loc[("hgfn_dmtl", "f1"), "best_other"] == "gfn_mtinet"
    assert table.loc[("hgfn_dmtl", "f1"), "best_other_mean"] == pytest.approx(0.1)
    assert table.loc[("hgfn_dmtl", "f1"), "reference_mean"] == pytest.approx(0.2)
    assert table.loc[("gfn_mtinet", "hl"), "reference_mean"] == pytest.approx(-0.2)


def test_the_reference_has_no_difference_to_itself_and_one_row_none_at_all() -> None:
    own = scores(THREE).query("row == 'cfc_lsew'")
    assert own["reference_mean"].isna().all()
    assert own["reference"].isna().all()
    alone = scores(report({GFN: (0.6, 0.1)}))
    assert alone[["best_other_mean", "reference_mean"]].isna().all(axis=None)


def written(folder: Path, given: Report = THREE) -> tuple[str, list[str]]:
    write_report(given, folder, folder, "table")
    text = (folder / "table.md").read_text()
    return text, [line for line in text.splitlines() if line.startswith("|")]


def test_scores_stand_beside_the_papers_and_the_facts(tmp_path: Path) -> None:
    text, lines = written(tmp_path)
    assert text.startswith("# Damage\n")
    assert text.endswith("- One note.\n- Another.\n")
    assert lines[2] == (
        "| CFC + LSEW | 0.505 ± 0.007 [0.500, 0.510] | 0.634 | 0.305 ± 0.007 [0.300, 0.310] | "
        "0.229 | 886,410 | 0.001 |"
    )
    assert lines[3].startswith("| GFN + MTI-NET |")
    assert lines[3].split(" | ")[2] == "–"  # noqa: RUF001 - not printed in the paper
    assert [line.count("|") for line in lines] == [8] * 5 + [4] * 10


def test_a_difference_names_the_other_row_and_marks_an_interval_without_0(tmp_path: Path) -> None:
    _, lines = written(tmp_path)
    assert lines[8].split(" | ")[1] == "+0.100 [+0.100, +0.100] *"
    assert lines[12].split(" | ")[1] == "-0.200 [-0.200, -0.200] * (HGFN + DMTL)"
    _, equal = written(tmp_path, report({CFC: (0.5, 0.3), GFN: (0.5, 0.3)}))
    assert equal[7].split(" | ")[1] == "+0.000 [+0.000, +0.000]"


def test_one_seed_is_written_without_an_interval_and_no_paper_without_its_column(
    tmp_path: Path,
) -> None:
    columns = [Column(MEAN, "map", "MAP")]
    rows = {row: {(MEAN, "map"): Estimate(np.array([v]))} for row, v in ((CFC, 0.5), (Row(), 0.1))}
    given = replace(
        THREE, columns=columns, rows=rows, facts={row: {"seconds": 1.5} for row in rows}
    )
    text, lines = written(tmp_path, given)
    assert "nan" not in text
    assert lines[:4] == [
        "| Method | MAP | seconds |",
        "| --- | ---: | ---: |",
        "| CFC + LSEW | 0.500 | 1.5 |",
        "| logistic regression, all views | 0.100 | 1.5 |",
    ]
    assert lines[7] == "| logistic regression, all views | -0.400 |"


def test_unknown_facts_are_dashes(tmp_path: Path) -> None:
    _, lines = written(
        tmp_path, replace(THREE, facts={row: {"seconds": float("nan")} for row in THREE.rows})
    )
    assert lines[2].endswith("| – |")  # noqa: RUF001


def test_the_note_on_networks_lists_what_each_fusion_and_method_takes() -> None:
    settings = replace(SETTINGS, fusion=FusionParams(name="matf", theta=0.5, width=64))
    settings = replace(
        settings, fusion=settings.fusion.model_copy(update={"options": {"channels": 32}})
    )
    rows = [Row("hgfn", "dmtl"), Row("matf", "mtinet"), Row("cfc", "lsew"), Row()]
    assert networks_note(settings, rows) == (
        "All networks: batch 64, dropout 0.3, weight decay 0, at most 100 epochs, patience 10 by "
        "validation loss; HGFN with theta 0.5, width 64; DMTL with alpha 1.0, beta 2.0; MATF with "
        "channels 32; MTI-NET with width 64; all other widths are the fusions' own."
    )


@pytest.mark.parametrize("count", [1, 7])
def test_a_picture_depends_on_the_numbers_alone(tmp_path: Path, count: int) -> None:
    columns = [replace(COLUMNS[i % 2], task=str(i)) for i in range(count)]

    def draw(value: float) -> bytes:
        rows = {
            row: {(c.task, c.score): constant(value) for c in columns}
            for row in (CFC, Row(view="b"))
        }
        write_report(
            replace(THREE, columns=columns, rows=rows, facts={row: {"n": 1} for row in rows}),
            tmp_path,
            tmp_path,
            "x",
        )
        return (tmp_path / "x.png").read_bytes()

    first = draw(0.5)
    with Image.open(tmp_path / "x.png") as picture:
        assert min(picture.size) > 150
    assert draw(0.5) == first
    assert draw(0.6) != first
    assert draw(float("nan"))
