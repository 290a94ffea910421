from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.datasets.clip_source import address, is_source


@pytest.mark.parametrize(
    ("source", "url"),
    [
        ("dQw4w9WgXcQ", "https://www.youtube.com/watch?v=dQw4w9WgXcQ"),
        ("--exec_bad-", "https://www.youtube.com/watch?v=--exec_bad-"),  # never an option
        ("https://youtu.be/dQw4w9WgXcQ", "https://youtu.be/dQw4w9WgXcQ"),
        ("HTTP://127.0.0.1:8000/a.mp4", "HTTP://127.0.0.1:8000/a.mp4"),
        ("clips/a.mp4", None),
        ("/films/a.mp4", None),
        ("C:\\films\\a.mp4", None),
        ("--exec", None),
        ("ytsearch:floods", None),
        ("dQw4w9WgXc.", None),
        ("dQw4w9WgXcQQ", None),
        ("dQw4w9WgXc\u00e9", None),
    ],
)
def test_a_source_is_a_path_an_address_or_an_id(tmp_path: Path, source: str, url: str) -> None:
    assert is_source(source)
    assert address(source, tmp_path) == url


@pytest.mark.parametrize(
    "source",
    ["http://[::1/x", f"http://{'a' * 64}.org/x", "http://a..b/x", "http://a:b/x", "http://:80/x"],
)
def test_an_address_without_a_possible_host_is_none(source: str) -> None:
    assert not is_source(source)


def test_a_file_of_eleven_letters_is_that_file(tmp_path: Path) -> None:
    (tmp_path / "floodfilm-1").touch()
    assert address("floodfilm-1", tmp_path) is None
    assert address("floodfilm-2", tmp_path) is not None
