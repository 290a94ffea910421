from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import partial
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from pipeline.datasets.http.pins import fetch_pinned, read_pins
from pipeline.extractors import obtain as home
from pipeline.extractors.obtain import obtain
from pipeline.extractors.published import PublishedFile

BODY = bytes(range(256)) * 100
SHA256 = hashlib.sha256(BODY).hexdigest()
URL = "https://example.org/models/net.pth"
FILE = PublishedFile(URL, len(BODY), "MIT", prefix=SHA256[:8], instead=("port.npy",))
UNKNOWN = PublishedFile(URL, len(BODY), "MIT")
OTHER = hashlib.sha256(b"other").hexdigest()

Serve = Callable[..., Any]


def send(body: bytes) -> Callable[[BaseHTTPRequestHandler], None]:
    """Answer with all, or with the rest of version 1 where a range is asked for."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        asked = handler.headers.get("Range")
        start = int(asked.removeprefix("bytes=").removesuffix("-")) if asked else 0
        handler.send_response(206 if asked else 200)
        handler.send_header("Content-Length", str(len(body) - start))
        handler.send_header("ETag", '"v1"')
        if asked:
            handler.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
        handler.end_headers()
        handler.wfile.write(body[start:])

    return answer


@pytest.fixture(autouse=True)
def project(bare_project: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project where a fault is told at its first sight."""
    monkeypatch.setattr(home, "fetch_pinned", partial(fetch_pinned, attempts=1))
    monkeypatch.setattr(home, "fetch", partial(home.fetch, attempts=1))
    return bare_project


@pytest.fixture
def mirror(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> Callable[[bytes], Any]:
    """A server on this machine, asked instead of the publishers'."""

    def start(body: bytes) -> Any:
        site = serve(send(body))
        monkeypatch.setenv("HGFN_MIRROR", site.url)
        return site

    return start


def told(file: PublishedFile) -> str:
    with pytest.raises(ValueError, match="net") as caught:
        obtain(file)
    return str(caught.value)


@pytest.mark.parametrize("file", [FILE, UNKNOWN])
def test_a_file_is_fetched_once_and_its_digest_kept(file: PublishedFile, mirror: Any) -> None:
    site = mirror(BODY)
    path = obtain(file)
    assert path.read_bytes() == BODY
    assert obtain(file) == path
    assert site.paths == ["/example.org/models/net.pth"]
    assert read_pins() == {URL: {"sha256": SHA256, "size": len(BODY)}}


def test_what_broke_off_is_resumed(tmp_path: Path, mirror: Any) -> None:
    folder = tmp_path / "cache" / "downloads"
    folder.mkdir(parents=True)
    (folder / "net.pth.part").write_bytes(BODY[:1000])
    (folder / "net.pth.part.version").write_text('"v1"')
    site = mirror(BODY)
    assert obtain(FILE).read_bytes() == BODY
    assert site.asked[0]["Range"] == "bytes=1000-"


def test_another_file_than_published_is_refused_and_not_pinned(mirror: Any) -> None:
    site = mirror(b"other")
    assert told(FILE) == (
        f"{site.url}/example.org/models/net.pth: sha256 is {OTHER}, expected {SHA256[:8]}...; "
        "check the network, or put net.pth into a folder and set HGFN_WEIGHTS to it"
    )
    assert read_pins() == {}
    assert not home.download_path(FILE).exists()


@pytest.mark.parametrize("file", [FILE, UNKNOWN])
def test_another_file_than_the_first_time_is_refused(file: PublishedFile, mirror: Any) -> None:
    mirror(BODY)
    obtain(file).unlink()
    mirror(b"other")
    assert told(file) == (
        f"{URL}: sha256 is {OTHER}, expected {SHA256}; if the file was replaced by its authors, "
        "remove its entry from downloads.lock.json"
    )
    assert not home.download_path(file).exists()


def test_a_kept_file_that_was_damaged_is_fetched_again(mirror: Any) -> None:
    mirror(BODY)
    path = obtain(FILE)
    path.write_bytes(BODY[::-1])
    assert obtain(FILE).read_bytes() == BODY


def test_without_a_network_one_line_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HGFN_MIRROR", "http://127.0.0.1:9")
    assert told(FILE) == (
        "http://127.0.0.1:9/example.org/models/net.pth: cannot connect (Connection refused) "
        "(tried 1 times); check the network, or put net.pth into a folder and set HGFN_WEIGHTS "
        "to it"
    )


@pytest.fixture
def given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of files that were carried here, on a machine without a network."""
    folder = tmp_path / "given"
    folder.mkdir()
    monkeypatch.setenv("HGFN_WEIGHTS", str(folder))
    monkeypatch.setenv("HGFN_MIRROR", "http://127.0.0.1:9")
    return folder


def test_a_given_file_is_taken_and_verified(given: Path) -> None:
    (given / "net.pth").write_bytes(BODY)
    assert obtain(FILE) == given / "net.pth"
    assert read_pins() == {URL: {"sha256": SHA256, "size": len(BODY)}}
    (given / "net.pth").write_bytes(b"other")
    assert told(FILE) == (
        f"{given}/net.pth: sha256 is {OTHER}, expected {SHA256}; if the file was replaced by its "
        "authors, remove its entry from downloads.lock.json"
    )


def test_a_given_file_must_be_the_published_one(given: Path) -> None:
    (given / "net.pth").write_bytes(b"other")
    expected = (
        f"{given}/net.pth: sha256 is {OTHER}, expected {SHA256[:8]}...; give the file of {URL}"
    )
    assert told(FILE) == expected
    assert read_pins() == {}


def test_a_port_of_the_network_is_taken_by_its_name(given: Path) -> None:
    (given / "port.npy").write_bytes(b"other")
    assert obtain(FILE) == given / "port.npy"
    assert read_pins() == {}


def test_what_is_not_given_is_fetched(given: Path, mirror: Any) -> None:
    mirror(BODY)
    assert obtain(FILE) == home.download_path(FILE)


def test_a_folder_that_is_not_there_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HGFN_WEIGHTS", "/nowhere/nets")
    assert told(FILE) == "HGFN_WEIGHTS is '/nowhere/nets'; allowed: a folder of published weights"


@pytest.mark.parametrize(("suffix", "opening"), sorted(home.OPENINGS.items()))
def test_a_page_in_place_of_the_file_is_not_kept(
    mirror: Any, project: Path, suffix: str, opening: bytes
) -> None:
    file = PublishedFile(f"https://example.org/models/net{suffix}", None, "MIT")
    mirror(b"<html>Log in</html>")
    assert f"net{suffix}: what came is no {suffix} file; check the network, or put" in told(file)
    assert read_pins() == {}
    mirror(opening + BODY)
    assert obtain(file).read_bytes() == opening + BODY
    assert list(read_pins()) == [file.url]
