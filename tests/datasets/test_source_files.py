from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.datasets.crisismmd_source import copy_layout
from pipeline.datasets.fingerprint import fingerprint


@pytest.fixture
def layout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HGFN_CACHE", str(tmp_path / "cache"))
    for part in ("annotations", "data_image/flood"):
        (tmp_path / "source" / part).mkdir(parents=True)
    (tmp_path / "source" / "data_image" / "flood" / "a.jpg").write_bytes(b"a")
    return tmp_path / "source"


def twice(photos: Path) -> None:
    """Two folders that lead to each other, neither of them to one above."""
    for name, other in (("one", "two"), ("two", "one")):
        (photos / name).mkdir()
        (photos / name / "link").symlink_to(photos / other)


def replaced(photos: Path, target: str) -> None:
    photos.rename(photos.with_name("photos"))
    photos.symlink_to(target)


HOLDS = "leads to a folder that holds it; remove the link"
FAULTS: dict[str, tuple[Callable[[Path], object], str]] = {
    "itself": (lambda photos: (photos / "link").symlink_to(photos), f"data_image/link {HOLDS}"),
    "above": (lambda photos: (photos / "link").symlink_to("../.."), f"data_image/link {HOLDS}"),
    "the root": (lambda photos: (photos / "link").symlink_to("/"), f"data_image/link {HOLDS}"),
    "each other": (twice, f"data_image/one/link/link {HOLDS}"),
    "a part to all": (lambda photos: replaced(photos, "."), f"data_image {HOLDS}"),
    "nothing": (
        lambda photos: (photos / "a.jpg").symlink_to("gone/a.jpg"),
        "data_image/a.jpg leads to gone/a.jpg, where nothing is; remove the link, or bring that "
        "back",
    ),
    "its own name": (
        lambda photos: (photos / "a.jpg").symlink_to("a.jpg"),
        "data_image/a.jpg leads to a.jpg, where nothing is; remove the link, or bring that back",
    ),
    "a part to nothing": (
        lambda photos: replaced(photos, "gone"),
        "data_image leads to gone, where nothing is; remove the link, or bring that back",
    ),
    "a pipe": (
        lambda photos: os.mkfifo(photos / "a.jpg"),
        "data_image/a.jpg is neither a file nor a folder; remove it",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_source_that_cannot_be_copied_is_told_in_one_line(
    layout: Path, tmp_path: Path, fault: str
) -> None:
    make, told = FAULTS[fault]
    make(layout / "data_image")
    (tmp_path / "raw").mkdir()
    with pytest.raises(ValueError, match=rf"^{re.escape(f'{layout}/{told}')}$"):
        copy_layout(layout, tmp_path / "raw")
    with pytest.raises(ValueError, match=rf"^{re.escape(f'{layout}/{told}')}$"):
        fingerprint(str(layout))  # before DVC removes what was downloaded


def test_links_are_copied_as_what_they_lead_to(layout: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "b.jpg").write_bytes(b"b")
    (layout / "data_image" / "fire").symlink_to(tmp_path / "elsewhere")
    (layout / "data_image" / "flood" / "b.jpg").symlink_to(tmp_path / "elsewhere" / "b.jpg")
    copy_layout(layout, tmp_path / "raw")
    copied = {p.relative_to(tmp_path / "raw").as_posix(): p for p in tmp_path.rglob("raw/**/*.jpg")}
    names = ("fire/b.jpg", "flood/a.jpg", "flood/b.jpg")
    assert sorted(copied) == [f"data_image/{name}" for name in names]
    assert not any(path.is_symlink() for path in copied.values())
