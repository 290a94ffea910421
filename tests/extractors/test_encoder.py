from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.extractors.encoder import ORIGIN, Origin, folder_digest

GIVEN = Origin("hf:some/net", "given", "MIT", "net.safetensors")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "part").mkdir()
    (tmp_path / "net").write_text("ab")
    (tmp_path / "part" / "net").write_text("c")
    return tmp_path


def test_an_origin_is_read_as_it_was_written(folder: Path) -> None:
    GIVEN.write(folder)
    assert Origin.of(folder) == GIVEN


def test_a_folder_without_origin_says_the_cure(folder: Path) -> None:
    with pytest.raises(ValueError, match="no weights; run the weights stage first"):
        Origin.of(folder)
    (folder / ORIGIN).write_text('{"encoder": "elmo"}')
    with pytest.raises(ValueError, match=rf"{ORIGIN}: weights: .*; run the weights stage first"):
        Origin.of(folder)


def test_the_digest_is_that_of_names_and_bytes_but_not_of_the_origin(folder: Path) -> None:
    digests = [folder_digest(folder)]
    GIVEN.write(folder)
    assert folder_digest(folder) == digests[0]
    (folder / "net").write_text("a")
    digests.append(folder_digest(folder))
    (folder / "part" / "net").write_text("bc")
    digests.append(folder_digest(folder))
    (folder / "net").rename(folder / "other")
    digests.append(folder_digest(folder))
    (folder / "part" / "empty").touch()
    digests.append(folder_digest(folder))
    assert len(set(digests)) == len(digests)
