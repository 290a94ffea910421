"""VIDI's lists in their format, with rows made up."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from pipeline.datasets import vidi
from pipeline.datasets.clip_source import address
from pipeline.datasets.download import fetch_youtube
from pipeline.datasets.http.part import sha256_of
from pipeline.datasets.http.pins import LOCK, fetch_pinned, read_pins, write_pin
from pipeline.datasets.manifest import concepts, read_manifest
from pipeline.datasets.vidi import INCIDENTS, fetch_vidi, list_addresses, write_manifest
from pipeline.datasets.vidi_list import incident

HEADER = "label,youtube_id,time_start,time_end,lang\n"
HEADER_NAMES = HEADER.strip().split(",")


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    def write_list(name: str, *rows: str, header: str = HEADER) -> Path:
        path = tmp_path / f"{name}.csv"
        path.write_text(header + "".join(f"{row}\n" for row in rows), encoding="utf-8")
        return path

    return write_list


def test_rows_of_one_clip_become_one_row(write: Any, tmp_path: Path) -> None:
    lists = [
        write("on_fire", "on fire,-film_00001,3,9,EN", "on fire,film-000002,0,5,"),
        write("with_smoke", "with_smoke,-film_00001,3,9,EN", "with smoke,-film_00001,10,12,EN"),
    ]
    path, note = write_manifest(lists, tmp_path / "made")
    table = read_manifest(path)
    assert concepts(table) == ["on_fire", "with_smoke"]
    assert table[["id", "source", "start", "end", "on_fire", "with_smoke"]].values.tolist() == [
        ["-film_00001_10_12", "-film_00001", 10.0, 12.0, 0, 1],
        ["-film_00001_3_9", "-film_00001", 3.0, 9.0, 1, 1],
        ["film-000002_0_5", "film-000002", 0.0, 5.0, 1, 0],
    ]
    assert all(address(source, tmp_path) for source in table["source"])
    assert note.startswith(
        "warning: VIDI came with 3 clips of 2 incidents, its authors count 4534 of 43 (not in both:"
    )


@pytest.mark.parametrize(
    ("label", "name"),
    [
        ("Dirty Contamined", "dirty_contamined"),
        ("with smoke", "with_smoke"),
        ("  On-Fire ", "on_fire"),
        ("snow__covered", "snow_covered"),
        ("oil_spil", "oil_spill"),
        ("Oil Spil", "oil_spill"),
    ],
)
def test_spellings_become_one(label: str, name: str) -> None:
    assert incident(label) == name
    assert name in INCIDENTS


def test_there_are_43_incidents() -> None:
    assert len(set(INCIDENTS)) == 43
    assert all(incident(name) == name for name in INCIDENTS)


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ("fog,short,1,2,EN", "column youtube_id is 'short'; expected 11 letters, digits, _ or -"),
        ("fog,--exec=x.sh,1,2,EN", "column youtube_id is '--exec=x.sh'; expected 11"),
        ("fog,film-000001,x,2,EN", "column time_start is 'x'; expected seconds from 0"),
        ("fog,film-000001,1,,EN", "column time_end is ''; expected seconds from 0"),
        ("fog,film-000001,2,2,EN", "column time_end is '2'; expected a time after time_start"),
        ("../x,film-000001,1,2,EN", "column label is '../x'; expected the name of an incident"),
        (",film-000001,1,2,EN", "column label is ''; expected the name of an incident"),
        ("fog,film-000001,184,177,ES", "column time_end is '177'; expected a time after"),
    ],
)
def test_a_row_that_makes_no_sense_is_left_out_and_told(
    write: Any, tmp_path: Path, row: str, told: str
) -> None:
    path = write("fog", "fog,film-000001,1,2,EN", row)
    made, note = write_manifest([path], tmp_path / "made")
    assert read_manifest(made)["id"].tolist() == ["film-000001_1_2"]
    assert f"; 1 rows left out, the first: {path}: row 3, {told}" in note


def test_lists_without_a_clip_are_refused(write: Any, tmp_path: Path) -> None:
    path = write("fog", "fog,short,1,2,EN")
    with pytest.raises(ValueError, match=re.escape(f"{path}: row 2, column youtube_id is 'short'")):
        write_manifest([path], tmp_path / "made")
    path = write("fog")
    with pytest.raises(ValueError, match=re.escape(f"{path}: no clip in it")):
        write_manifest([path], tmp_path / "made")


def test_other_columns_are_refused(write: Any, tmp_path: Path) -> None:
    path = write("fog", header="label,youtube_id,start,end,lang\n")
    with pytest.raises(ValueError, match=r"fog.csv: columns are \['label', 'youtube_id', 'start'"):
        write_manifest([path], tmp_path / "made")


@pytest.mark.parametrize(
    ("content", "ends"),
    [
        (b"fog,film-000001,1,2,\xff\n", "row 3 is not UTF-8 (invalid start byte)"),
        (
            b"f" * 200_000 + b",film-000001,1,2,EN\n",
            "row 3 is no CSV (field larger than field limit (131072))",
        ),
    ],
)
def test_a_list_that_is_no_table_ends_in_one_line(
    write: Any, tmp_path: Path, content: bytes, ends: str
) -> None:
    path = write("fog", "fog,film-000001,1,2,EN")
    path.write_bytes(path.read_bytes() + content)
    with pytest.raises(ValueError, match=r"fog\.csv") as caught:
        write_manifest([path], tmp_path / "made")
    assert str(caught.value) == f"{path}: {ends}"


def test_a_nul_byte_leaves_its_row_out(write: Any, tmp_path: Path) -> None:
    path = write("fog", "fog,film-000001,1,2,EN", "fog,film\x00000002,1,2,EN")
    _, note = write_manifest([path], tmp_path / "made")
    assert f"first: {path}: row 3, column youtube_id is 'film\\x00000002';" in note


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project's root with a cache folder of its own, where a fault is told at its first sight."""
    (tmp_path / "project").mkdir()
    monkeypatch.chdir(tmp_path / "project")
    monkeypatch.setenv("HGFN_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(vidi, "fetch_pinned", partial(fetch_pinned, attempts=1))
    return tmp_path / "project"


@pytest.fixture
def mirror(serve: Any, give: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Serves each list with one clip of its own and one that all of them share."""

    def answer(handler: Any) -> None:
        name = handler.path.removesuffix(".csv").rpartition("/")[2]
        label = incident(name).replace("_", " ")
        rows = [f"{label},film-shared,1,2,EN", f"{label},{name[:11]:-<11},5,9,TR"]
        give((HEADER + "\n".join(rows) + "\n").encode(), type="text/csv", ranges=False)(handler)

    site = serve(answer)
    monkeypatch.setenv("HGFN_MIRROR", site.url)
    monkeypatch.setenv("HGFN_PAUSE", "0")
    return site


def test_the_lists_are_fetched_from_one_commit(mirror: Any) -> None:
    path, note = fetch_vidi()
    table = read_manifest(path).set_index("id")
    assert concepts(table.reset_index()) == list(INCIDENTS)
    assert table.loc["film-shared_1_2", list(INCIDENTS)].sum() == 43
    assert len(table) == 44
    assert note == (
        "warning: VIDI came with 44 clips of 43 incidents, its authors count 4534 of 43"
    )
    folder = f"/raw.githubusercontent.com/vididataset/VIDI/{vidi.COMMIT}/data/"
    assert sorted(mirror.paths)[0] == f"{folder}airplane_accident.csv"
    assert f"{folder}oil_spil.csv" in mirror.paths
    asked = len(mirror.paths)
    fetch_vidi()  # kept
    assert len(mirror.paths) == asked


def test_each_list_is_pinned_at_first_use(mirror: Any, tmp_path: Path) -> None:
    fetch_vidi()
    pins = read_pins()
    assert list(pins) == sorted(list_addresses())
    kept = tmp_path / "cache" / "downloads" / f"vidi-{vidi.COMMIT[:7]}" / "fog.csv"
    assert pins[f"{vidi.URL}/fog.csv"]["sha256"] == sha256_of(kept)
    write_pin(LOCK, f"{vidi.URL}/fog.csv", {"sha256": "0" * 64, "size": 1})
    cure = f"expected {'0' * 64}; if the file was replaced by its authors, remove its entry from"
    with pytest.raises(ValueError, match=rf"{vidi.URL}/fog.csv: sha256 is \w+, {cure}"):
        fetch_vidi()


def test_a_page_in_place_of_a_list_is_not_kept(
    serve: Any, give: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HGFN_MIRROR", serve(give(b"<html>Log in</html>", type="text/csv")).url)
    with pytest.raises(ValueError, match="airplane_accident") as caught:
        fetch_vidi()
    assert str(caught.value) == (
        f"{vidi.URL}/airplane_accident.csv: columns are ['<html>Log in</html>']; expected "
        f"{HEADER_NAMES}; {vidi.CURE}"
    )
    assert read_pins() == {}
    assert not list((tmp_path / "cache").rglob("*.csv"))


def test_a_list_that_is_not_there_is_told_with_its_cure(
    serve: Any, give: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    site = serve(give(status=404))
    monkeypatch.setenv("HGFN_MIRROR", site.url)
    with pytest.raises(ValueError, match="404 Not Found; check the network, or set HGFN_MIRROR"):
        fetch_youtube("vidi", tmp_path / "data" / "raw")
    assert len(site.paths) == 1
    assert list((tmp_path / "data").iterdir()) == []


def test_vidi_is_a_source(
    mirror: Any, film: bytes, give: Any, serve: Any, tmp_path: Path, monkeypatch: Any
) -> None:
    films = serve(give(film))
    monkeypatch.setattr(
        "pipeline.datasets.youtube_source.address", lambda source, _: f"{films.url}/{source}.mp4"
    )
    raw = tmp_path / "data" / "raw"
    monkeypatch.setattr(vidi, "INCIDENTS", INCIDENTS[:3])
    told = fetch_youtube("vidi", raw)
    assert told.startswith("youtube: 5 clips from vidi; warning: VIDI came with 5 clips of ")
    assert len(list((raw / "clips").iterdir())) == 5
    assert set(read_manifest(raw / "manifest.csv")["origin"]) >= {"film-shared"}


def test_a_time_written_otherwise_is_the_same_span(write: Any, tmp_path: Path) -> None:
    path = write("fog", "fog,film-000001,1,2,EN", "flooded,film-000001,1.0,2.0,EN")
    made, _ = write_manifest([path], tmp_path / "made")
    assert read_manifest(made)["id"].tolist() == ["film-000001_1_2"]
