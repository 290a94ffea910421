"""Which samples are shown, and their pictures."""

from __future__ import annotations

import base64
import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipeline.features.recipe import Item
from pipeline.ground.data_set import data_set
from pipeline.report.material import Material, read_material
from pipeline.report.samples import FRAMES, SIDE, STRIP, choose_rows, thumbnail
from tests.report.project import TASKS, write_project

CLIP = Path(__file__).resolve().parents[2] / "data/sample/youtube/clips/clip_00.mp4"


@pytest.fixture
def material(project: object) -> Material:
    write_project()
    return read_material(data_set("crisismmd"))


def wrong_with(material: Material, row: int) -> float:
    """The highest confidence of a sample's wrong decisions."""
    found = [0.0]
    for task in TASKS:
        truth, decided = material.truth[task.name][row], material.decided(task)[row]
        if truth >= 0 and truth != decided:
            found.append(material.confidence(task)[row])
    return max(found)


def picture(url: str | None) -> Image.Image:
    assert url is not None
    head, _, data = url.partition(",")
    assert head == "data:image/jpeg;base64"
    return Image.open(io.BytesIO(base64.b64decode(data)))


@pytest.mark.parametrize("count", range(0, 25, 3))
def test_chosen_rows_are_different_test_rows_in_order(material: Material, count: int) -> None:
    rows = choose_rows(material, count)
    assert len(rows) == min(count, len(material.test))
    assert sorted(set(rows.tolist())) == rows.tolist()
    assert set(rows.tolist()) <= set(material.test.tolist())


def test_the_most_confident_mistakes_are_among_them(material: Material) -> None:
    chosen = set(choose_rows(material, 9).tolist())
    ranked = sorted(material.test.tolist(), key=lambda row: -wrong_with(material, row))
    assert set(ranked[:3]) <= chosen


def test_a_photo_keeps_its_shape_and_a_small_one_its_size(tmp_path: Path) -> None:
    for size, expected in (((640, 320), (SIDE, SIDE // 2)), ((40, 60), (40, 60))):
        path = tmp_path / "photo.png"
        Image.new("RGB", size, "red").save(path)
        assert picture(thumbnail(Item("a", path=path, form="photo"))).size == expected


def test_a_clip_gives_a_strip_of_frames() -> None:
    strip = picture(thumbnail(Item("a", path=CLIP, form="clip")))
    assert strip.width == FRAMES * STRIP
    frames = np.split(np.asarray(strip, dtype=float), FRAMES, axis=1)
    assert abs(frames[0] - frames[-1]).mean() > 1


@pytest.mark.parametrize("form", ["photo", "clip"])
def test_what_cannot_be_read_has_no_picture(tmp_path: Path, form: str) -> None:
    (tmp_path / "broken").write_bytes(b"not a picture" * 100)
    assert thumbnail(Item("a", path=tmp_path / "broken", form=form)) is None
    assert thumbnail(Item("a", path=tmp_path / "missing", form=form)) is None
