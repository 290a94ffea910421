from __future__ import annotations

import re
from pathlib import Path

import av

from pipeline.inputs.containers import FORMATS
from pipeline.media import image

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "own_posts.md").read_text()


def listed(kind: str) -> list[str]:
    names = re.search(rf"{kind}: ([^.]*)\.", PAGE)
    assert names is not None
    return re.sub(r" \(.*?\)", "", names[1]).replace("\n", " ").split(", ")


def test_the_page_on_own_posts_lists_the_formats_that_are_read() -> None:
    assert listed("Clips") == list(FORMATS)
    assert listed("Photos") == list(image.FORMATS)


def test_ffmpeg_knows_every_reader_by_its_name() -> None:
    known = {name for names in av.formats_available for name in names.split(",")}
    assert {name for names in FORMATS.values() for name in names.split(",")} <= known
