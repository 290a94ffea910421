"""The page in a browser: nothing from the network, nothing too wide, everything by keyboard."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.report.project import page_of, write_project

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
WIDTHS = (390, 800, 1400)
# Relative luminance and contrast of WCAG 2, for the colours of all elements that hold text.
CONTRAST = """() => {
  const parse = (c) => (c.match(/[\\d.]+/g) || []).map(Number);
  const light = ([r, g, b]) => [r, g, b].map((v) => v / 255)
    .map((v) => (v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4))
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const behind = (e) => {
    for (; e; e = e.parentElement) {
      const c = parse(getComputedStyle(e).backgroundColor);
      if (c.length === 3 || c[3] === 1) return c;
    }
    return [255, 255, 255];
  };
  const worst = [];
  for (const e of document.querySelectorAll("body *")) {
    const own = [...e.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim());
    const out = "svg, .heat td, button:disabled, .skip";
    if (!own || !e.checkVisibility() || e.closest(out)) continue;
    const [a, b] = [light(parse(getComputedStyle(e).color)), light(behind(e))];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < 4.5) worst.push(`${e.tagName}.${e.className} ${ratio.toFixed(2)}`);
  }
  return worst;
}"""


@dataclass
class Seen:
    """What a page did while it was open."""

    messages: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Opened:
    """An open page, with what it does."""

    page: playwright.Page
    seen: Seen

    def shown(self) -> list[str]:
        """The ids of the cards that are shown, in order."""
        cards = self.page.locator(".card:not([hidden]) h4")
        return [text.split(",")[0] for text in cards.all_inner_texts()]

    def tab_to(self, name: str) -> None:
        """Press the tabulator until the element of this id has the focus."""
        for _ in range(200):
            self.page.keyboard.press("Tab")
            if self.page.evaluate("document.activeElement.id") == name:
                return
        raise AssertionError(f"the tabulator does not reach {name}")


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of the tiny project, in its folder."""
    folder, before = tmp_path_factory.mktemp("project"), Path.cwd()
    os.chdir(folder)
    try:
        (folder / "page.html").write_text(page_of(write_project()))
    finally:
        os.chdir(before)
    return folder / "page.html"


@pytest.fixture(params=["light", "dark"])
def opened(
    request: pytest.FixtureRequest, browser: playwright.Browser, report: Path
) -> Iterator[Opened]:
    page, seen = browser.new_page(color_scheme=request.param), Seen()
    page.on("console", lambda message: seen.messages.append(message.text))
    page.on("pageerror", lambda error: seen.messages.append(str(error)))
    page.on("request", lambda request: seen.requests.append(request.url))
    page.goto(report.as_uri())
    yield Opened(page, seen)
    page.close()


def test_the_page_is_silent_and_asks_nobody(opened: Opened, report: Path) -> None:
    opened.page.wait_for_load_state("networkidle")
    assert opened.seen.messages == []
    own = [url for url in opened.seen.requests if not url.startswith("data:")]
    assert own == [report.as_uri()]
    assert opened.page.evaluate("window.attacked") is None


def test_every_picture_is_there_and_has_a_text(opened: Opened) -> None:
    broken = "[...document.images].filter((i) => !i.naturalWidth || !i.alt).length"
    assert opened.page.evaluate("document.images.length") > 0
    assert opened.page.evaluate(broken) == 0
    pictures = opened.page.locator("svg:not([aria-hidden])")
    assert all(p.get_attribute("aria-label") for p in pictures.all())


@pytest.mark.parametrize("width", WIDTHS)
def test_nothing_is_wider_than_the_screen(opened: Opened, width: int) -> None:
    opened.page.set_viewport_size({"width": width, "height": 900})
    assert opened.page.evaluate("document.documentElement.scrollWidth") <= width


def test_every_text_has_enough_contrast(opened: Opened) -> None:
    assert opened.page.evaluate(CONTRAST) == []


def test_samples_are_filtered_and_sorted_by_keyboard(opened: Opened) -> None:
    keyboard, page = opened.page.keyboard, opened.page
    everything = opened.shown()
    opened.tab_to("find")
    keyboard.type("quoted")
    found = opened.shown()
    assert 0 < len(found) < len(everything)
    assert set(found) <= {f"s{row:03}" for row in range(1, 40, 5)}
    keyboard.press("Control+A")
    keyboard.press("Delete")
    opened.tab_to("outcome")
    keyboard.type("wrong")
    assert page.locator("#outcome").input_value() == "wrong"
    assert (
        page.locator(".card:not([hidden])").count()
        == page.locator(".card:not([hidden]):has(.wrong)").count()
    )
    keyboard.press("Home")
    opened.tab_to("order")
    keyboard.press("End")
    assert opened.shown() == sorted(opened.shown())


def test_pages_of_samples_turn_by_keyboard(opened: Opened) -> None:
    first = opened.shown()
    opened.tab_to("next")
    opened.page.keyboard.press("Enter")
    second = opened.shown()
    assert first
    assert second
    assert not set(first) & set(second)
    assert opened.page.locator("#shown").inner_text() == "13 to 20 of 20 samples"


def test_a_link_to_a_sample_shows_it_whatever_is_filtered(opened: Opened) -> None:
    page = opened.page
    page.locator("#find").fill("nothing has this text")
    assert page.locator("#shown").inner_text() == "none of 20 samples"
    link = page.locator('a[href^="#sample-"]').first
    name = link.inner_text()
    link.focus()
    page.keyboard.press("Enter")
    page.wait_for_function("document.activeElement.classList.contains('card')")
    assert name in opened.shown()


def test_it_prints(opened: Opened) -> None:
    assert opened.page.pdf(format="A4").startswith(b"%PDF")
