from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
SPEC = importlib.util.spec_from_file_location("attack_table", HERE / "table.py")
assert SPEC is not None
assert SPEC.loader is not None
table = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(table)


def collected(request: pytest.FixtureRequest) -> set[tuple[str, str, str]]:
    properties = [pair for item in request.session.items for pair in item.user_properties]
    return {tuple(row) for key, row in properties if key == "attack"}


def test_the_page_holds_exactly_the_attacks_that_are_tried(request: pytest.FixtureRequest) -> None:
    tried = {item.path for item in request.session.items}
    if not set(HERE.glob("test_*.py")) <= tried:
        pytest.skip("only a part of the attacks was collected; run the whole folder")
    written = table.PAGE.read_text(encoding="utf-8")
    assert written == table.page(collected(request)), "run python tests/attacks/table.py"


def test_a_cell_cannot_break_the_table() -> None:
    made = table.page({("Text", "a|b", "<script>\n")})
    assert "| a\\|b | &lt;script>  |" in made


def test_a_group_must_be_known() -> None:
    with pytest.raises(ValueError, match=r"group 'Http' of an attack; allowed: HTTP"):
        table.page({("Http", "x", "y")})
