"""A report: the rows that are compared, its Markdown, and its picture."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipeline.evaluation.comparison.compare import SETTINGS
from pipeline.evaluation.comparison.estimates import MEAN, Estimate
from pipeline.evaluation.comparison.report import (
    Column,
    Report,
    networks_note,
    scores,
    write_report,
)
from pipeline.evaluation.comparison.rows import Row
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
    references = [row for row in (CFC, HGFN) if row in rows]
    return Report("Damage", COLUMNS, estimates, facts, references, ["One note.", "Another."])


THREE = report({CFC: (0.5, 0.3), GFN: (0.6, 0.1), HGFN: (0.7, 0.2)})


def test_differences_are_to_every_reference() -> None:
    table = scores(THREE).set_index(["row", "score"])
    assert table.loc[("gfn_mtinet", "f1"), "minus_cfc_lsew_mean"] == pytest.approx(0.1)
    assert table.loc[("gfn_mtinet", "hl"), "minus_cfc_lsew_mean"] == pytest.approx(-0.2)
    assert table.loc[("gfn_mtinet", "f1"), "minus_hgfn_dmtl_mean"] == pytest.approx(-0.1)
    assert table.loc[("cfc_lsew", "f1"), "minus_hgfn_dmtl_high"] == pytest.approx(-0.2)


def test_a_reference_has_no_difference_to_itself_and_without_one_there_is_none() -> None:
    own = scores(THREE).query("row == 'cfc_lsew'")
    assert own["minus_cfc_lsew_mean"].isna().all()
    alone = scores(report({GFN: (0.6, 0.1)}))
    assert not [column for column in alone if column.startswith("minus_")]


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


def test_a_difference_stands_below_its_reference_and_marks_an_interval_without_0(
    tmp_path: Path,
) -> None:
    text, lines = written(tmp_path)
    assert lines[8].split(" | ")[1] == "+0.100 [+0.100, +0.100] *"
    assert lines[12].split(" | ")[1] == "-0.200 [-0.200, -0.200] *"
    assert "\n## Paired differences to CFC + LSEW\n" in text
    assert "\n## Paired differences to HGFN + DMTL\n" in text
    _, equal = written(tmp_path, report({CFC: (0.5, 0.3), GFN: (0.5, 0.3)}))
    assert equal[7].split(" | ")[1] == "+0.000 [+0.000, +0.000]"


def test_one_seed_is_written_without_an_interval_and_no_paper_without_its_column(
    tmp_path: Path,
) -> None:
    columns = [Column(MEAN, "map", "MAP")]
    rows = {row: {(MEAN, "map"): Estimate(np.array([v]))} for row, v in ((CFC, 0.5), (Row(), 0.1))}
    facts = {row: {"seconds": 1.5, "rates": "0.001 (1)"} for row in rows}
    given = replace(THREE, columns=columns, rows=rows, facts=facts, references=[CFC])
    text, lines = written(tmp_path, given)
    assert "nan" not in text
    assert lines[:4] == [
        "| Method | MAP | seconds | rates |",
        "| --- | ---: | ---: | ---: |",
        "| CFC + LSEW | 0.500 | 1.5 | 0.001 (1) |",
        "| logistic regression, all views | 0.100 | 1.5 | 0.001 (1) |",
    ]
    assert lines[7] == "| logistic regression, all views | -0.400 |"


def test_unknown_facts_are_dashes(tmp_path: Path) -> None:
    _, lines = written(
        tmp_path, replace(THREE, facts={row: {"seconds": float("nan")} for row in THREE.rows})
    )
    assert lines[2].endswith("| – |")  # noqa: RUF001


def test_rows_of_the_ablation_have_a_table_of_their_own(tmp_path: Path) -> None:
    text, lines = written(tmp_path, replace(THREE, ablation=[GFN]))
    first, second = text.split("## Paired")[0].split("\n## Ablation and controls\n")
    assert "| CFC + LSEW |" in first
    assert "| GFN + MTI-NET |" not in first
    assert "| GFN + MTI-NET |" in second
    assert len([line for line in lines if "GFN + MTI-NET" in line]) == 3  # and in the differences


def test_the_note_on_networks_lists_what_each_fusion_and_method_takes() -> None:
    settings = replace(SETTINGS, fusion=FusionParams(name="matf", theta=0.5, width=64))
    settings = replace(
        settings, fusion=settings.fusion.model_copy(update={"options": {"channels": 32}})
    )
    rows = [Row("hgfn", "dmtl"), Row("matf", "mtinet"), Row("cfc", "lsew"), Row()]
    assert networks_note(settings, rows) == (
        "All networks: width 64, batch 64, dropout 0.3, input dropout 0, weight decay 0, members "
        "1, at most 100 epochs, patience 10 by validation loss; HGFN with theta 0.5; DMTL with "
        "alpha 1.0, beta 2.0; MATF with channels 32."
    )


def test_the_note_on_networks_lists_a_variants_changes_and_names_its_fusion_and_method() -> None:
    changes = {"train.members": 5}
    titles = ["CFC + LSEW (mine)", "mine"]
    rows = [Row("cfc", "lsew", "", title, title, changes) for title in titles]
    assert networks_note(SETTINGS, rows).endswith(
        "; CFC + LSEW (mine) with train.members 5; mine (CFC + LSEW) with train.members 5."
    )


@pytest.mark.parametrize("count", [1, 7])
def test_a_picture_depends_on_the_numbers_alone(tmp_path: Path, count: int) -> None:
    columns = [replace(COLUMNS[i % 2], task=str(i)) for i in range(count)]

    def draw(value: float) -> bytes:
        rows = {
            row: {(c.task, c.score): constant(value) for c in columns}
            for row in (CFC, Row(view="b"))
        }
        facts = {row: {"n": 1} for row in rows}
        given = replace(THREE, columns=columns, rows=rows, facts=facts, references=[CFC])
        write_report(given, tmp_path, tmp_path, "x")
        return (tmp_path / "x.png").read_bytes()

    first = draw(0.5)
    with Image.open(tmp_path / "x.png") as picture:
        assert min(picture.size) > 150
    assert draw(0.5) == first
    assert draw(0.6) != first
    assert draw(float("nan"))
