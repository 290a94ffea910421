"""The paper's printed numbers, copied right."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from pipeline.evaluation.tables import row_title

from pipeline.evaluation import paper

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
            line = re.search(rf"^{re.escape(row_title(row))}\t(.*)$", printed[start:], re.M)
            assert line
            assert tuple(map(float, line[1].split("\t"))) == values, (number, row)


def test_the_headline_rows() -> None:
    assert paper.INFORMATIVE["hgfn_dmtl"] == (0.862, 0.041, 0.825)
    assert paper.HUMANITARIAN["hgfn_dmtl"] == (0.762, 0.153, 0.749)
    assert paper.DAMAGE["hgfn_dmtl"] == (0.913, 0.029, 0.897)
    assert paper.YOUTUBE["hgfn_dmtl"] == (0.987, 0.011, 0.958)
    assert all(len(rows) == 8 for rows in TABLES.values())
