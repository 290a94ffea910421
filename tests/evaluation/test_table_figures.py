"""Pictures of tables: there, readable, and the same for the same numbers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipeline.datasets.paper_concepts import CONCEPTS
from pipeline.evaluation.bootstrap import Estimate
from pipeline.evaluation.table_figures import draw_table
from pipeline.evaluation.tables import Table, compare, tables_of

TABLES = [*tables_of("crisismmd", ["damage"]), *tables_of("youtube", CONCEPTS)]


def draw(path: Path, table: Table, value: float = 0.5) -> bytes:
    made = Estimate(np.array([value, value]), np.linspace(value - 0.1, value + 0.1, 101))
    keys = [(column.task, column.score) for column in table.columns]
    rows = {row: dict.fromkeys(keys, made) for row in ("cfc_lsew", "dmf_dmtl")}
    draw_table(path, table, compare(table, rows))
    return path.read_bytes()


@pytest.mark.parametrize("table", TABLES, ids=lambda table: str(table.number))
def test_a_picture_is_drawn_of_every_table(table: Table, tmp_path: Path) -> None:
    draw(tmp_path / "table.png", table)
    with Image.open(tmp_path / "table.png") as picture:
        assert min(picture.size) > 150


def test_the_same_numbers_give_the_same_bytes_and_others_others(tmp_path: Path) -> None:
    first = draw(tmp_path / "a.png", TABLES[0])
    assert draw(tmp_path / "b.png", TABLES[0]) == first
    assert draw(tmp_path / "c.png", TABLES[0], value=0.6) != first


def test_an_undefined_score_leaves_its_place_empty(tmp_path: Path) -> None:
    assert draw(tmp_path / "a.png", TABLES[0], value=float("nan"))
