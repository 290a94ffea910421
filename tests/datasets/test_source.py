from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.datasets.source import FORMS, check_source, check_sources
from pipeline.ground.data_set import SETS, data_set


@pytest.fixture(autouse=True)
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository's root with one source of each form."""
    folder = tmp_path / "root"
    for name in ("layout/annotations", "clips"):
        (folder / name).mkdir(parents=True)
    (folder / "layout.tar.gz").write_bytes(b"\x1f\x8b and the rest")
    (folder / "layout" / "annotations" / "flood_final_data.tsv").touch()
    (folder / "clips" / "manifest.csv").touch()
    (folder / "own.csv").touch()
    for pin, file in (("layout.json", "c.tar.gz"), ("manifest.json", "own.csv?version=2")):
        values = {"address": f"http://h/{file}", "sha256": None, "size": None, "licence": "none"}
        (folder / pin).write_text(json.dumps(values))
    monkeypatch.chdir(folder)
    return folder


def message(name: str, source: str) -> str:
    with pytest.raises(ValueError, match=rf"^data\.{name}\.source is ") as caught:
        check_source(name, source)
    assert "\n" not in str(caught.value)
    return str(caught.value).removeprefix(f"data.{name}.source is {source!r}: ")


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("crisismmd", "layout"),
        ("crisismmd", "layout.tar.gz"),
        ("crisismmd", "layout.json"),
        ("youtube", "clips"),
        ("youtube", "own.csv"),
        ("youtube", "manifest.json"),
    ],
)
def test_each_form_is_a_source_by_relative_and_by_absolute_path(
    root: Path, name: str, source: str
) -> None:
    check_source(name, source)
    check_source(name, str(root / source))


@pytest.mark.parametrize(
    "sources", [{"crisismmd": "data/sample/crisismmd.tar.gz"}, {"youtube": "data/sample/youtube"}]
)
def test_the_sample_is_a_source(sources: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(Path(__file__).resolve().parents[2])
    assert check_sources(sources) == []


def test_a_pin_of_the_other_sets_form_is_refused(root: Path) -> None:
    assert message("crisismmd", "manifest.json") == (
        f"{root}/manifest.json pins own.csv; allowed: a pin of a file .tar.gz or .tgz"
    )
    assert message("youtube", "layout.json") == (
        f"{root}/layout.json pins c.tar.gz; allowed: a pin of a file .csv. From VIDI's lists "
        "`python -m tools.vidi_manifest` makes a manifest"
    )


FAULTS: dict[str, Callable[[Path], object]] = {
    "README.md": lambda path: path.write_text("# no data"),
    "page.tar.gz": lambda path: path.write_text("<html>Log in</html>"),
    "pipe.tar.gz": os.mkfifo,
    "empty": lambda path: path.mkdir(),
    "no tables": lambda path: (path / "annotations").mkdir(parents=True),
}


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("name", SETS)
def test_what_exists_but_is_no_source_names_its_place_and_what_is_allowed(
    root: Path, name: str, fault: str
) -> None:
    FAULTS[fault](root / fault)
    text = message(name, fault)
    assert str(root / fault) in text
    assert FORMS[data_set(name).form] in text or text.endswith("is no gzip file; fetch it again")


@pytest.mark.parametrize(
    "make", [os.mkfifo, lambda p: p.symlink_to(p.name), lambda p: p.symlink_to("/dev/zero")]
)
@pytest.mark.parametrize(("name", "source"), [("crisismmd", "layout"), ("youtube", "clips")])
def test_a_file_that_stops_dvc_is_refused_before_it_hashes_the_folder(
    root: Path, name: str, source: str, make: Callable[[Path], object]
) -> None:
    (root / source / "inner").mkdir()
    make(root / source / "inner" / "a.jpg")
    check_source(name, source)
    with pytest.raises(ValueError, match=rf"^data.{name}.source .*inner/a.jpg.*; remove it"):
        check_sources({name: source})


def test_a_missing_path_names_where_it_was_looked_for(root: Path) -> None:
    assert message("crisismmd", "/nowhere/x") == "nothing is at /nowhere/x; correct it"
    assert message("youtube", "../other/clips") == (
        f"nothing is at {root.parent}/other/clips; correct it, or give an absolute path if this is "
        "an experiment in a copy of the repository (dvc exp run --temp or --queue)"
    )


def test_every_wrong_source_has_its_line() -> None:
    with pytest.raises(ValueError, match="source") as caught:
        check_sources({"crisismmd": "sample", "youtube": "/nowhere"})
    lines = str(caught.value).splitlines()
    assert [line.split(" is ")[0] for line in lines] == [
        "data.crisismmd.source",
        "data.youtube.source",
    ]


def write_lock(root: Path, path: str) -> None:
    (root / "dvc.lock").write_text(
        "schema: '2.0'\nstages:\n  download@crisismmd:\n    cmd: x\n    deps:\n"
        f"    - path: data/params.checked\n    - path: {path}\n"
    )


@pytest.mark.parametrize("source", ["/elsewhere/layout", "../layout"])
def test_a_missing_source_of_which_the_raw_data_were_made_is_a_note(
    root: Path, source: str
) -> None:
    write_lock(root, source)
    (note,) = check_sources({"crisismmd": source, "youtube": "clips"})
    assert note.startswith(f"note: data.crisismmd.source is {source!r}: nothing is at ")
    assert note.endswith(
        "dvc.lock says that data/crisismmd/raw was made from it: `dvc repro --allow-missing` goes "
        "on without it"
    )


@pytest.mark.parametrize(
    "lock", ["", "<<<<<<< ours", "stages: {}", "stages:\n  download@crisismmd: 1"]
)
def test_a_missing_source_that_no_lock_records_is_an_error(root: Path, lock: str) -> None:
    (root / "dvc.lock").write_text(lock)
    with pytest.raises(ValueError, match="nothing is at"):
        check_sources({"crisismmd": "/elsewhere/layout"})
    write_lock(root, "/elsewhere/other")
    with pytest.raises(ValueError, match="nothing is at"):
        check_sources({"crisismmd": "/elsewhere/layout"})


def test_a_recorded_source_that_is_no_source_any_more_is_an_error(root: Path) -> None:
    write_lock(root, "clips")
    with pytest.raises(ValueError, match=r"clips has no annotations"):
        check_sources({"crisismmd": "clips"})
