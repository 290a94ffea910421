"""The documents name tests and kinds of failure that exist, and all that they must name."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

from pipeline.ground.failures import KINDS

ROOT = Path(__file__).resolve().parent.parent
TEXT = (ROOT / "docs" / "methods.md").read_text()
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), ROOT / "data" / "README.md"])
NAMED = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")
FILE = re.compile(r"`((?:benchmarks|pipeline|sources|stages|tables|tests|tools)/[\w./-]+)`")
EXAMPLES = {"pipeline/models/fusion/mean.py", "pipeline/extractors/levels.py"}  # docs/extending.md


@cache
def functions(path: str) -> frozenset[str]:
    tree = ast.parse((ROOT / path).read_text())
    return frozenset(node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef))


def missing(text: str) -> list[str]:
    """Tests named in a text that are not there."""
    return [
        f"{path}::{name}"
        for path, name in NAMED.findall(text)
        if not (ROOT / path).is_file() or name not in functions(path)
    ]


def unproven(text: str) -> list[str]:
    """First words of each claim and each reading that names no test."""
    claims = re.findall(r"^\*\*Claim \d+\.\*\*.*?(?=\n\n|\Z)", text, re.M | re.S)
    readings = re.findall(r"^\| [AB]\d+ \|.*$", text, re.M)
    sentences = re.findall(r"^.*?Tested\s+by\s.*?(?=\n\n|\Z)", text, re.M | re.S)
    return [part[:40] for part in claims + readings + sentences if not NAMED.search(part)]


def test_every_test_named_in_the_methods_page_exists() -> None:
    assert len(NAMED.findall(TEXT)) > 60
    assert missing(TEXT) == []


def test_every_claim_and_every_reading_names_a_test() -> None:
    assert unproven(TEXT) == []


@pytest.mark.parametrize(("kind", "count"), [("A", 12), ("B", 13)])
def test_every_open_question_of_the_paper_has_its_row(kind: str, count: int) -> None:
    rows = re.findall(rf"^\| {kind}(\d+) \|", TEXT, re.M)
    assert rows == [str(n) for n in range(1, count + 1)]


def test_claims_are_numbered_without_a_gap() -> None:
    numbers = [int(n) for n in re.findall(r"^\*\*Claim (\d+)\.\*\*", TEXT, re.M)]
    assert numbers == list(range(1, len(numbers) + 1))
    assert len(numbers) >= 8


def test_every_test_path_has_the_form_that_is_checked() -> None:
    assert len(re.findall(r"tests/[\w/]+\.py::", TEXT)) == len(NAMED.findall(TEXT))


def headings(page: Path) -> set[str]:
    """Anchors of a page's headings, as GitHub makes them."""
    titles = re.findall(r"^#+ (.+)$", page.read_text(), re.M)
    return {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", PAGES, ids=[str(page.relative_to(ROOT)) for page in PAGES])
def test_every_link_leads_to_a_file_and_a_heading(page: Path) -> None:
    for link in re.findall(r"\]\((?!https?:)([^)]+)\)", page.read_text()):
        path, _, anchor = link.partition("#")
        target = page.parent / path if path else page
        assert target.exists(), link
        assert not anchor or anchor in headings(target), link


@pytest.mark.parametrize("page", PAGES, ids=[str(page.relative_to(ROOT)) for page in PAGES])
def test_every_file_that_a_page_names_is_there(page: Path) -> None:
    if page.name != "CHANGELOG.md":  # it names what was
        named = set(FILE.findall(page.read_text())) - EXAMPLES
        assert sorted(name for name in named if not (ROOT / name).exists()) == []


def test_a_page_lists_every_kind_of_failure() -> None:
    page = (ROOT / "docs" / "troubleshooting.md").read_text()
    assert [kind for kind in KINDS if f"`{kind}`" not in page] == []


@pytest.mark.parametrize("page", PAGES, ids=[str(page.relative_to(ROOT)) for page in PAGES])
def test_every_page_is_reached_from_the_readme(page: Path) -> None:
    if page.parent in (ROOT / "docs" / "decisions", ROOT / "data") or page.parent == ROOT:
        return
    assert f"(docs/{page.name})" in (ROOT / "README.md").read_text()


def test_the_checks_find_what_is_wrong() -> None:
    assert missing("`tests/test_docs.py::test_nothing`") == ["tests/test_docs.py::test_nothing"]
    assert missing("`tests/no.py::test_it`") == ["tests/no.py::test_it"]
    assert FILE.findall("`pipeline/none.py`, `data/x`, `none.py`") == ["pipeline/none.py"]
    claim = "**Claim 1.** *It holds on every set.* Tested by nobody."
    assert unproven(f"{claim}\n\n") == [claim[:40], claim[:40]]
    assert unproven("| A1 | a | b | c |") == ["| A1 | a | b | c |"]
