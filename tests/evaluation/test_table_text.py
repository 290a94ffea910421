"""Tables as Markdown: as many cells in every line, numbers as told, dashes for nothing."""

from __future__ import annotations

import numpy as np
import pandas as pd

from pipeline.evaluation import paper
from pipeline.evaluation.bootstrap import Estimate
from pipeline.evaluation.table_text import grid, markdown
from pipeline.evaluation.tables import compare, tables_of

TABLE = tables_of("crisismmd", ["damage"])[0]
FACTS = pd.DataFrame(
    {"row": ["cfc_lsew", "dmf_lsew"], "parameters": [886410, 1200], "learning_rate": [0.001, 0.01]}
)


def text(low: float = 0.8) -> str:
    def made(value: float) -> Estimate:
        return Estimate(np.array([value, value + 0.01]), np.linspace(value, value + 0.01, 101))

    rows = {
        row: {("damage", score): made(value) for score in paper.SCORES}
        for row, value in (("cfc_lsew", 0.5), ("dmf_lsew", low))
    }
    return markdown(TABLE, compare(TABLE, rows), FACTS, ["One note.", "Another."])


def lines(markdown_text: str) -> list[str]:
    return [line for line in markdown_text.splitlines() if line.startswith("|")]


def test_a_grid_has_a_rule_of_its_headers_width() -> None:
    assert grid(["a", "b"], [["1", "2"]]) == "| a | b |\n| --- | ---: |\n| 1 | 2 |"


def test_scores_stand_beside_the_papers_with_parameters_and_learning_rate() -> None:
    cells = "0.505 ± 0.007 [0.500, 0.510]"
    assert lines(text())[2] == (
        f"| CFC + LSEW | {cells} | 0.634 | {cells} | 0.229 | {cells} | 0.607 | 886,410 | 0.001 |"
    )
    assert lines(text())[3].split(" | ")[2] == "–"  # noqa: RUF001 - not printed in the paper


def test_all_lines_of_a_table_have_as_many_cells() -> None:
    widths = [line.count("|") for line in lines(text())]
    assert widths == [10] * 4 + [5] * 8


def test_a_difference_says_to_which_row_and_whether_its_interval_leaves_out_nothing() -> None:
    apart = lines(text())
    assert apart[7].split(" | ")[1] == "+0.300 [+0.300, +0.300] *"
    assert apart[10].split(" | ")[1] == "-0.300 [-0.300, -0.300] * (DMF + LSEW)"
    assert lines(text(low=0.5))[7].split(" | ")[1] == "+0.000 [+0.000, +0.000]"


def test_the_title_is_the_papers_and_the_notes_close() -> None:
    assert text().startswith("# Table III: Damage level (CrisisMMD)\n")
    assert text().endswith("- One note.\n- Another.\n")
