"""The paper's tables: their printed numbers, copied right, and their columns."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pipeline.evaluation.comparison import paper
from pipeline.evaluation.comparison.paper import tables_of
from pipeline.evaluation.comparison.rows import Row

TABLES = {
    "I": paper.INFORMATIVE,
    "II": paper.HUMANITARIAN,
    "III": paper.DAMAGE,
    "IV": paper.YOUTUBE,
    "V": paper.YOUTUBE_ACCURACY,
}


def test_every_number_is_the_papers(shared_data: Path) -> None:
    texts = sorted((shared_data.parent / "seeds").glob("001_*.txt"))
    if not texts:
        pytest.skip("the paper's text is not there")
    printed = texts[0].read_text().replace("<b>", "").replace("</b>", "")
    for number, rows in TABLES.items():
        start = printed.index(f"TABLE {number}:")
        for row, values in rows.items():
            title = Row(*row.split("_")).title
            line = re.search(rf"^{re.escape(title)}\t(.*)$", printed[start:], re.M)
            assert line
            assert tuple(map(float, line[1].split("\t"))) == values, (number, row)


def test_the_headline_rows() -> None:
    assert paper.INFORMATIVE["hgfn_dmtl"] == (0.862, 0.041, 0.825)
    assert paper.HUMANITARIAN["hgfn_dmtl"] == (0.762, 0.153, 0.749)
    assert paper.DAMAGE["hgfn_dmtl"] == (0.913, 0.029, 0.897)
    assert paper.YOUTUBE["hgfn_dmtl"] == (0.987, 0.011, 0.958)
    assert all(len(rows) == 8 for rows in TABLES.values())


def test_crisismmd_has_a_table_of_three_scores_for_each_task_that_was_trained() -> None:
    tables = tables_of("crisismmd", ["informative", "humanitarian", "damage"])
    assert [table.number for table in tables] == [1, 2, 3]
    assert [column.label for column in tables[0].columns] == ["F1", "HL", "MAP"]
    assert tables[2].columns[1].paper["hgfn_dmtl"] == 0.029
    assert "dmf_lsew" not in tables[2].columns[1].paper
    assert [table.number for table in tables_of("crisismmd", ["damage"])] == [3]


def test_youtube_has_its_means_and_one_accuracy_a_concept_in_the_papers_order() -> None:
    means, accuracies = tables_of("youtube", ["briefing", "own_concept", "victim"])
    assert {column.task for column in means.columns} == {"mean"}
    assert [column.task for column in accuracies.columns] == ["victim", "briefing", "own_concept"]
    assert accuracies.columns[0].paper["hgfn_dmtl"] == 0.917
    assert accuracies.columns[2].paper == {}
