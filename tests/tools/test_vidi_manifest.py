"""VIDI's lists in their format, with made-up rows."""

from __future__ import annotations

import re
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipeline.inputs.manifest import address, concepts, read_manifest
from pipeline.inputs.pins import read_pin
from tools.vidi_manifest import INCIDENTS, fetch_lists, incident, write_manifest

HEADER = "label,youtube_id,time_start,time_end,lang\n"
GOOD = "fog,film-000001,1,2,EN"
Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write_list(name: str, *rows: str, header: str = HEADER) -> Path:
        path = tmp_path / f"{name}.csv"
        path.write_text(header + "".join(f"{row}\n" for row in rows), encoding="utf-8")
        return path

    return write_list


def test_rows_of_one_span_become_one_row_of_the_manifest(write: Write, tmp_path: Path) -> None:
    lists = [
        write("on_fire", "on fire,-film_00001,3,9,EN", "on fire,film-000002,0,5,"),
        write("with_smoke", "with_smoke,-film_00001,3.0,9,EN", "with smoke,-film_00001,10,12,EN"),
    ]
    note = write_manifest(lists, tmp_path / "made.csv")
    table = read_manifest(tmp_path / "made.csv")
    assert concepts(table) == ["on_fire", "with_smoke"]
    assert table[["id", "source", "start", "end", "on_fire", "with_smoke"]].values.tolist() == [
        ["-film_00001_10_12", "-film_00001", 10.0, 12.0, 0, 1],
        ["-film_00001_3_9", "-film_00001", 3.0, 9.0, 1, 1],
        ["film-000002_0_5", "film-000002", 0.0, 5.0, 1, 0],
    ]
    assert all(address(source, tmp_path) for source in table["source"])
    assert note == "3 clips of 2 incidents; warning: the authors count 4534 of 43"


@pytest.mark.parametrize(
    ("label", "name"),
    [
        ("Dirty Contamined", "dirty_contamined"),
        ("  On-Fire ", "on_fire"),
        ("snow__covered", "snow_covered"),
        ("Oil Spil", "oil_spill"),
    ],
)
def test_spellings_become_one_of_the_43_incidents(label: str, name: str) -> None:
    assert incident(label) == name
    assert name in INCIDENTS
    assert len(set(INCIDENTS)) == 43


@pytest.mark.parametrize(
    ("row", "fault"),
    [
        ("fog,short,1,2,EN", "column youtube_id is 'short'; expected 11 letters, digits, _ or -"),
        ("fog,--exec=x.sh,1,2,EN", "column youtube_id is '--exec=x.sh'; expected 11"),
        ("fog,film\x00000001,1,2,EN", "column youtube_id is 'film\\x00000001'; expected 11"),
        ("fog,film-000001,x,2,EN", "column time_start is 'x'; expected seconds from 0"),
        ("fog,film-000001,1,,EN", "column time_end is ''; expected seconds from 0"),
        ("fog,film-000001,184,177,ES", "column time_end is '177'; expected a time after"),
        ("../x,film-000001,1,2,EN", "column label is '../x'; expected the name of an incident"),
        ("fog,film-000001,1,2", "has 4 fields, expected 5"),
    ],
)
def test_a_row_that_makes_no_sense_is_left_out_and_counted(
    write: Write, tmp_path: Path, row: str, fault: str
) -> None:
    path = write("fog", GOOD, row)
    note = write_manifest([path], tmp_path / "made.csv")
    assert read_manifest(tmp_path / "made.csv")["id"].tolist() == ["film-000001_1_2"]
    assert re.search(rf"; 1 rows left out, the first: {path}: row 3,? {re.escape(fault)}", note)
    with pytest.raises(ValueError, match=re.escape(fault)):
        write_manifest([write("bad", row)], tmp_path / "none.csv")
    assert not (tmp_path / "none.csv").exists()


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b"label,youtube_id,start,end,lang\n", "columns are ['label', 'youtube_id', 'start'"),
        (b"<html>Log in</html>", "columns are ['<html>Log in</html>']"),
        (HEADER.encode() + b"fog,film-000001,1,2,\xff\n", "not a UTF-8 CSV table ('utf-8' codec"),
        (HEADER.encode() + b"f" * 200_000 + b",a,1,2,EN\n", "not a UTF-8 CSV table (field larger"),
    ],
)
def test_a_file_that_is_no_list_is_refused(tmp_path: Path, content: bytes, fault: str) -> None:
    path = tmp_path / "fog.csv"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=re.escape(f"{path}: {fault}")):
        write_manifest([path], tmp_path / "made.csv")


def test_the_pinned_lists_are_fetched(
    write: Write, tmp_path: Path, serve: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    with tarfile.open(tmp_path / "made.tar.gz", "w:gz") as archive:
        archive.add(write("fog", GOOD), "VIDI-d9d7b49/data/fog.csv")
    site = serve((tmp_path / "made.tar.gz").read_bytes())
    monkeypatch.setenv("HGFN_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HGFN_MIRROR", site.url)
    pin = Path(__file__).resolve().parents[2] / "sources" / "vidi.json"
    lists = fetch_lists(pin, tmp_path / "unpacked")
    assert [path.read_text() for path in lists] == [f"{HEADER}{GOOD}\n"]
    assert site.paths == [f"/github.com{read_pin(pin).address.partition('github.com')[2]}"]
