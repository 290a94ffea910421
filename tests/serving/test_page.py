"""The page in a browser: a photo is dropped, a text is typed, and strangers' words stay words."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.report.test_browser import CONTRAST, WIDTHS, Seen
from tests.serving import fakes
from tests.serving.conftest import Running, running

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

# One grey pixel.
PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNoAAAAggCBd81ytgAAAABJRU5ErkJggg=="
DROP = """([name, contents]) => {
  const bytes = Uint8Array.from(atob(contents), (c) => c.charCodeAt(0));
  const data = new DataTransfer();
  data.items.add(new File([bytes], name, { type: "image/png" }));
  const init = { dataTransfer: data, bubbles: true, cancelable: true };
  document.body.dispatchEvent(new DragEvent("drop", init));
}"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running(tmp_path_factory.mktemp("scratch"), fakes.showing) as server:
        yield server


@pytest.fixture(params=["light", "dark"])
def page(
    request: pytest.FixtureRequest,
    browser: playwright.Browser,
    server: Running,
) -> Iterator[playwright.Page]:
    """The open page, which must be silent and ask no other server."""
    page, seen = browser.new_page(color_scheme=request.param), Seen()
    page.on("console", lambda message: seen.messages.append(message.text))
    page.on("pageerror", lambda error: seen.messages.append(str(error)))
    page.on("request", lambda request: seen.requests.append(request.url))
    page.goto(server.url)
    page.get_by_text("It decides flood").wait_for()
    yield page
    assert [m for m in seen.messages if "Failed to load resource" not in m] == []
    own = (server.url, f"blob:{server.url}", "data:")
    assert [url for url in seen.requests if not url.startswith(own)] == []
    assert page.evaluate("window.attacked") is None
    page.close()


def predict(page: playwright.Page) -> None:
    page.evaluate(DROP, ["<b>photo</b>.png", PNG])
    page.fill("#text", "Flood in Houston")
    page.get_by_role("button", name="Predict").click()
    page.get_by_role("heading", name="Decisions").wait_for()


def test_a_dropped_photo_and_a_text_give_decisions(page: playwright.Page) -> None:
    predict(page)
    result = page.locator("#result").inner_text()
    for part in ("yes", "confidence 70.0 %", "Unsure", "not used; the file is no photo", "0.912"):
        assert part in result
    assert page.locator("#chosen .name").inner_text() == "<b>photo</b>.png"
    assert page.locator("#chosen img").count() == 1
    page.get_by_role("button", name="Explain").click()
    explanation = page.locator("#explanation")
    explanation.get_by_text("Shapley").wait_for()
    assert "+20.0" in explanation.inner_text()
    assert "\u22125.0" in explanation.inner_text()
    assert page.locator("#result img").count() == 0


def test_nothing_is_wider_than_the_screen_and_all_of_it_can_be_read(page: playwright.Page) -> None:
    predict(page)
    page.get_by_role("button", name="Explain").click()
    page.locator("#explanation .tile").wait_for()
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 900})
        assert page.evaluate("document.documentElement.scrollWidth") <= width
    # What is hidden in the field of files is its own text, "No file chosen".
    assert page.evaluate(CONTRAST) == []


def test_it_works_by_keyboard(page: playwright.Page, tmp_path: Path) -> None:
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.id") == "text"
    page.keyboard.type("Flood")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.id") == "files"
    (tmp_path / "a.png").write_bytes(base64.b64decode(PNG))
    page.set_input_files("#files", tmp_path / "a.png")
    for name in ("Remove a.png", None):
        page.keyboard.press("Tab")
        label = page.evaluate("document.activeElement.getAttribute('aria-label')")
        assert label == name
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="Decisions").wait_for()
    page.locator("#result:focus").wait_for()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.id") == "explain"


def test_what_is_wrong_is_said_in_words(page: playwright.Page, server: Running) -> None:
    page.get_by_role("button", name="Predict").click()
    assert "Type a text, or choose" in page.get_by_role("alert").inner_text()
    for name in ("a.mp4", "b.mp4"):
        page.set_input_files("#files", {"name": name, "mimeType": "video/mp4", "buffer": b"a"})
    page.get_by_role("button", name="Predict").click()
    assert "one clip at most" in page.get_by_role("alert").inner_text()
    page.get_by_role("button", name="Remove b.mp4").click()
    page.set_input_files("#files", {"name": "c.jpg", "mimeType": "image/jpeg", "buffer": b"c"})
    page.get_by_role("button", name="Predict").click()
    assert "photos or a clip, not both" in page.get_by_role("alert").inner_text()
    page.get_by_role("button", name="Clear").click()
    assert page.locator("#chosen li").count() == 0
    page.route("**/predict", lambda route: route.fulfill(status=503, json={"error": "<i>full</i>"}))
    page.fill("#text", "Flood")
    page.get_by_role("button", name="Predict").click()
    page.get_by_text("<i>full</i> (503)").wait_for()
    page.unroute("**/predict")
