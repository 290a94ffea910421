"""The template of DVC's own plots draws them without Vega, and without a request."""

from __future__ import annotations

import configparser
from pathlib import Path
from typing import Any

import pytest
from dvc_render import VegaRenderer
from dvc_render.html import render_html

ROOT = Path(__file__).resolve().parents[2]
TEMPLATE = ROOT / ".dvc" / "plots_page.html"
LINES = [
    {"step": str(step), "loss": str(loss), "rev": rev}
    for rev, losses in {"main": (3, 2, 1), "workspace": (3, 1, 0.5)}.items()
    for step, loss in enumerate(losses)
]
TRUTH, DECIDED = ["1", "no", "no", "<b>no</b>"], ["1", "1", "no", "no"]
CONFUSION = [
    {"actual": a, "predicted": p, "rev": "workspace"} for a, p in zip(TRUTH, DECIDED, strict=True)
]


@pytest.fixture
def page(browser: Any, tmp_path: Path) -> Any:
    """A page as DVC writes it, of two kinds of plots; its `seen` lists messages and requests."""
    renderers = [
        VegaRenderer(LINES, "loss.tsv", x="step", y="loss", title="loss"),
        VegaRenderer(
            CONFUSION, "c.csv", x="actual", y="predicted", title="taken", template="confusion"
        ),
    ]
    path = render_html(renderers, tmp_path / "index.html", str(TEMPLATE))
    opened, seen = browser.new_page(), []
    opened.on("console", lambda message: seen.append(message.text))
    opened.on("pageerror", lambda error: seen.append(str(error)))
    opened.on("request", lambda request: seen.append(request.url))
    opened.goto(path.as_uri())
    opened.seen = [text for text in seen if text != path.as_uri() and text != "data:,"]
    yield opened
    opened.close()


def test_dvc_uses_the_template() -> None:
    config = configparser.ConfigParser()
    config.read(ROOT / ".dvc" / "config")
    assert ROOT / ".dvc" / config["plots"]["html_template"] == TEMPLATE


def test_nothing_is_requested_and_nothing_goes_wrong(page: Any) -> None:
    assert page.seen == []


def test_each_revision_has_a_line(page: Any) -> None:
    lines = page.locator("figure > svg polyline")
    assert page.locator("figure li").all_inner_texts() == ["main", "workspace"]
    points = [line.get_attribute("points").split() for line in lines.all()]
    assert [len(of_line) for of_line in points] == [3, 3]
    assert points[0][0] == points[1][0]
    assert points[0][2] != points[1][2]


def test_confusions_are_counted(page: Any) -> None:
    rows = page.locator("table tr").all()[1:]
    cells = {row.locator("th").inner_text(): row.locator("td").all_inner_texts() for row in rows}
    assert cells == {"1": ["1", "0", "0"], "<b>no</b>": ["0", "0", "1"], "no": ["1", "0", "1"]}
