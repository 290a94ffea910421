"""A wrong source of any kind ends in one line, and the raw folder of before stays as it was."""

from __future__ import annotations

import os
import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipeline.datasets.download import fill_raw
from pipeline.ground.data_set import SETS, data_set

SAMPLE = Path(__file__).resolve().parents[2] / "data" / "sample"


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with old raw folders of both sets."""
    monkeypatch.chdir(tmp_path)
    for name in SETS:
        data_set(name).raw.mkdir(parents=True)
        (data_set(name).raw / "old.txt").write_text("old")
    return tmp_path


def folder_with(*names: str) -> Callable[[Path], None]:
    def make(path: Path) -> None:
        for name in names:
            (path / name).parent.mkdir(parents=True, exist_ok=True)
            (path / name).write_text("x\n")

    return make


def archive_of_another_set(path: Path) -> None:
    with tarfile.open(path, "w:gz") as tar:
        tar.add(SAMPLE / "youtube" / "manifest.csv", "other/annotations/labels.tsv")


def broken_at_its_end(path: Path) -> None:
    path.write_bytes((SAMPLE / "crisismmd.tar.gz").read_bytes()[:-20])


def two_links(path: Path) -> None:
    path.symlink_to("other")
    path.with_name("other").symlink_to(path.name)


KINDS: dict[str, tuple[str, Callable[[Path], object]]] = {
    "a text": ("README.md", folder_with("")),
    "an empty folder": ("folder", Path.mkdir),
    "a folder of files that are none": ("folder", folder_with("annotations", "manifest.csv/x")),
    "a folder of other annotations": ("folder", folder_with("annotations/a.tsv", "manifest.csv")),
    "a pipe": ("pipe.tar.gz", os.mkfifo),
    "a pipe as manifest": ("pipe.csv", os.mkfifo),
    "a broken archive": ("broken.tar.gz", broken_at_its_end),
    "an archive of another set": ("other.tar.gz", archive_of_another_set),
    "a loop of links": ("loop", two_links),
    "a link to nothing": ("link.csv", lambda path: path.symlink_to("gone")),
    "nothing": ("nowhere", lambda path: None),
    "a name that is too long": ("n" * 300, lambda path: None),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", SETS)
def test_the_old_raw_folder_stays(project: Path, name: str, kind: str) -> None:
    file, make = KINDS[kind]
    make(project / file)
    with pytest.raises(ValueError, match=rf"^(data\.{name}\.source is |\S*{file})") as caught:
        fill_raw(name, file, data_set(name).raw)
    assert "\n" not in str(caught.value)
    assert [path.name for path in data_set(name).raw.parent.rglob("*")] == ["raw", "old.txt"]


@pytest.mark.parametrize("name", SETS)
@pytest.mark.parametrize("inner", [".", "inner"])
def test_a_source_in_the_raw_folder_is_refused(name: str, inner: str) -> None:
    source = data_set(name).raw / inner
    shutil.copytree(SAMPLE / "youtube", source, dirs_exist_ok=True)
    (source / "annotations").mkdir()
    with pytest.raises(ValueError, match=r"it lies in data/\w+/raw, which the download replaces"):
        fill_raw(name, str(source), data_set(name).raw)
    assert (data_set(name).raw / "old.txt").exists()


def test_a_source_without_permission_names_its_key(
    project: Path, unprivileged: Callable[..., Any]
) -> None:
    shutil.copyfile(SAMPLE / "crisismmd.tar.gz", project / "a.tar.gz")
    (project / "a.tar.gz").chmod(0)
    done = unprivileged(
        "from pipeline.datasets.source import *; check_sources({'crisismmd': 'a.tar.gz'})"
    )
    last = done.stderr.splitlines()[-1]
    assert last.startswith("ValueError: data.crisismmd.source is 'a.tar.gz': /")
    assert "Permission denied" in last
