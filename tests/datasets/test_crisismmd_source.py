"""The official source end to end: an archive in the official layout, served on loopback."""

from __future__ import annotations

import hashlib
import json
import tarfile
import zipfile
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from pipeline.datasets import crisismmd_source
from pipeline.datasets.annotations import read_annotations
from pipeline.datasets.crisismmd_source import URL
from pipeline.datasets.download import fetch_crisismmd
from pipeline.datasets.http.pins import read_pins
from pipeline.datasets.index import index_crisismmd
from pipeline.datasets.sample import write_crisismmd

SIDES = ("train", "train", "train", "dev", "test")


@pytest.fixture(scope="module")
def layout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sample as the official archive has it: JSON beside it, the splits in a zip."""
    folder = tmp_path_factory.mktemp("official") / "CrisisMMD_v2.0"
    folder.mkdir()
    write_crisismmd(folder, tweets=24)
    (folder / "json").mkdir()
    (folder / "json" / "flood.json").write_text("{}")
    table = read_annotations(folder)
    with zipfile.ZipFile(folder / "crisismmd_datasplit_all.zip", "w") as archive:
        for task in ("informative", "humanitarian", "damage"):
            for word in ("train", "dev", "test"):
                rows = table[[SIDES[i % 5] == word for i in range(len(table))]]
                name = f"crisismmd_datasplit_all/task_{task}_text_img_{word}.tsv"
                archive.writestr(name, split_text(rows))
    return folder


def split_text(rows: pd.DataFrame) -> str:
    lines = ["event_name\ttweet_id\timage_id\ttweet_text\timage\tlabel"]
    for row in rows.itertuples():
        lines.append(f"x\t{row.tweet_id}\t{row.image_id}\ttext\t{row.image_path}\tx")
    return "\n".join(lines) + "\n"


@pytest.fixture(scope="module")
def archive(layout: Path) -> bytes:
    path = layout.parent / "CrisisMMD_v2.0.tar.gz"
    with tarfile.open(path, "w:gz", compresslevel=1) as tar:
        tar.add(layout, layout.name)
    return path.read_bytes()


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project's root with a cache folder of its own."""
    root = tmp_path / "project"
    root.mkdir()
    monkeypatch.chdir(root)
    monkeypatch.setenv("HGFN_CACHE", str(tmp_path / "cache"))
    return root


def send(archive: bytes) -> Callable[[BaseHTTPRequestHandler], None]:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(archive)))
        handler.end_headers()
        handler.wfile.write(archive)

    return answer


def test_the_official_source_is_fetched_pinned_and_indexed(
    serve: Any, archive: bytes, layout: Path, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = serve(send(archive))
    monkeypatch.setenv("HGFN_MIRROR", site.url)
    raw = project / "data" / "crisismmd" / "raw"
    told = fetch_crisismmd("official", raw)
    assert site.paths == ["/crisisnlp.qcri.org/data/crisismmd/CrisisMMD_v2.0.tar.gz"]

    table = read_annotations(layout)
    photos = [path for path in (layout / "data_image").rglob("*") if path.is_file()]
    events = {path.split("/")[1] for path in table["image_path"]}
    assert told == (
        f"crisismmd: {len(photos)} photos from official\n"
        f"crisismmd: warning: {len(table)} rows, {table['tweet_id'].nunique()} tweets, "
        f"{len(events)} events, where 18,082 rows, 16,058 tweets, 7 events were published"
    )
    pins = json.loads((project / "downloads.lock.json").read_text())
    assert pins == {URL: {"sha256": hashlib.sha256(archive).hexdigest(), "size": len(archive)}}
    assert {path.name for path in raw.iterdir()} == {"annotations", "data_image", "splits"}
    for photo in photos:
        assert (raw / photo.relative_to(layout)).read_bytes() == photo.read_bytes()
    assert list(raw.parent.iterdir()) == [raw]

    grouped = index_crisismmd(raw, "agreed")
    assert len(grouped.table) == len(table)
    for task in ("informative", "humanitarian", "damage"):
        index = index_crisismmd(raw, "agreed", split=f"official_{task}")
        assert [entry["name"] for entry in index.tasks] == [task]
        assert index.table["split"].value_counts()["test"] == len(table) // 5


def test_a_second_checkout_fetches_nothing(
    serve: Any, archive: bytes, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = serve(send(archive))
    monkeypatch.setenv("HGFN_MIRROR", site.url)
    fetch_crisismmd("official", project / "one" / "raw")
    fetch_crisismmd("official", project / "two" / "raw")
    assert len(site.paths) == 1


def test_a_page_in_place_of_the_archive_is_not_kept(
    serve: Any, project: Path, monkeypatch: pytest.MonkeyPatch, archive: bytes
) -> None:
    monkeypatch.setenv("HGFN_MIRROR", serve(send(b"<html>Log in</html>")).url)
    with pytest.raises(ValueError, match=r"gz: what came is no \.tar\.gz; check the network, or"):
        crisismmd_source.fetch_official()
    assert read_pins() == {}
    monkeypatch.setenv("HGFN_MIRROR", serve(send(archive)).url)
    assert crisismmd_source.fetch_official().read_bytes() == archive
    assert list(read_pins()) == [URL]


def test_another_archive_than_the_pinned_one_is_refused(
    serve: Any, archive: bytes, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HGFN_MIRROR", serve(send(archive)).url)
    pins = {URL: {"sha256": "0" * 64, "size": 1}}
    (project / "downloads.lock.json").write_text(json.dumps(pins))
    with pytest.raises(ValueError, match=f"expected {'0' * 64}; if the file was replaced by its"):
        fetch_crisismmd("official", project / "raw")
    assert not (project / "raw").exists()


def test_without_a_network_one_line_says_what_could_not_be_reached(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("time.sleep", lambda _: None)
    monkeypatch.setenv("HGFN_MIRROR", "http://127.0.0.1:9")
    with pytest.raises(ValueError, match="CrisisMMD_v2") as caught:
        fetch_crisismmd("official", project / "raw")
    assert str(caught.value) == (
        "http://127.0.0.1:9/crisisnlp.qcri.org/data/crisismmd/CrisisMMD_v2.0.tar.gz: "
        "cannot connect (Connection refused) (tried 5 times); check the network, or set "
        "data.crisismmd.source to a local folder or .tar.gz"
    )
    assert not (project / "raw").exists()


def test_the_published_counts_are_no_warning(monkeypatch: pytest.MonkeyPatch, layout: Path) -> None:
    table = read_annotations(layout)
    events = {path.split("/")[1] for path in table["image_path"]}
    known = {"rows": len(table), "tweets": table["tweet_id"].nunique(), "events": len(events)}
    monkeypatch.setattr(crisismmd_source, "KNOWN", known)
    assert crisismmd_source.count_note(layout) == ", ".join(f"{v} {k}" for k, v in known.items())
