"""Downloads that go well; what servers do wrong is in tests/attacks/test_http.py."""

from __future__ import annotations

import errno
import hashlib
import json
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

from pipeline.datasets.http.addresses import address_kind
from pipeline.datasets.http.fetch import fetch
from pipeline.datasets.http.fetch_error import FetchError
from pipeline.datasets.http.mirror import mirrored
from pipeline.datasets.http.part import Part
from pipeline.datasets.http.pins import fetch_pinned, read_pins

BODY = b"body" * 1000
SHA256 = hashlib.sha256(BODY).hexdigest()


def whole(handler: BaseHTTPRequestHandler) -> None:
    handler.send_response(200)
    handler.send_header("Content-Length", str(len(BODY)))
    handler.end_headers()
    handler.wfile.write(BODY)


def test_a_file_is_fetched_verified_and_alone(serve: Any, tmp_path: Path) -> None:
    path = tmp_path / "new" / "file.bin"
    assert fetch(f"{serve(whole).url}/f", path, sha256=SHA256, size=len(BODY)) == SHA256
    assert path.read_bytes() == BODY
    assert {p.name for p in path.parent.iterdir()} == {"file.bin", "file.bin.lock"}


def test_a_file_that_is_there_and_right_is_not_fetched(serve: Any, tmp_path: Path) -> None:
    site = serve(whole)
    (tmp_path / "file.bin").write_bytes(BODY)
    assert fetch(f"{site.url}/f", tmp_path / "file.bin", sha256=SHA256) == SHA256
    assert fetch(f"{site.url}/f", tmp_path / "file.bin") == SHA256
    assert site.asked == []


def test_a_file_that_is_there_and_wrong_is_replaced(serve: Any, tmp_path: Path) -> None:
    (tmp_path / "file.bin").write_bytes(b"bit rot")
    fetch(f"{serve(whole).url}/f", tmp_path / "file.bin", sha256=SHA256)
    assert (tmp_path / "file.bin").read_bytes() == BODY


def test_what_a_killed_run_left_is_resumed(serve: Any, tmp_path: Path) -> None:
    def rest(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(206)
        handler.send_header("Content-Range", f"bytes 1000-{len(BODY) - 1}/{len(BODY)}")
        handler.send_header("Content-Length", str(len(BODY) - 1000))
        handler.end_headers()
        handler.wfile.write(BODY[1000:])

    part = Part(tmp_path / "file.bin")
    part.begin('"v1"')
    part.append(BODY[:1000])
    site = serve(rest)
    assert fetch(f"{site.url}/f", tmp_path / "file.bin") == SHA256
    assert site.asked[0]["If-Range"] == '"v1"'


def test_another_process_at_it_is_told(serve: Any, tmp_path: Path) -> None:
    path = tmp_path / "file.bin"
    with FileLock(f"{path}.lock"), pytest.raises(FetchError) as caught:
        fetch("http://127.0.0.1/f", path)
    assert str(caught.value) == (
        f"http://127.0.0.1/f: another process is fetching {path}; wait for it"
    )


def test_a_full_disk_is_told(serve: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Part, "append", full)
    with pytest.raises(FetchError, match=r"cannot write .*file\.bin\.part \(No space left on dev"):
        fetch(f"{serve(whole).url}/f", tmp_path / "file.bin")


@pytest.mark.parametrize("url", ["no address", "ftp://example.org/f", "http://"])
def test_what_is_no_address_is_told_at_once(tmp_path: Path, url: str) -> None:
    with pytest.raises(FetchError, match="not an address to fetch from"):
        fetch(url, tmp_path / "file.bin")


@pytest.mark.parametrize(
    ("host", "kind"),
    [
        ("8.8.8.8", "public"),
        ("127.0.0.2", "loopback"),
        ("::1", "loopback"),
        ("10.1.2.3", "private"),
        ("192.168.0.1", "private"),
        ("fd00::1", "private"),
        ("169.254.169.254", "reserved"),
        ("0.0.0.0", "reserved"),
        ("::ffff:10.0.0.1", "private"),
        ("no.such.name.invalid", "public"),
    ],
)
def test_the_kind_of_an_address(host: str, kind: str) -> None:
    assert address_kind(host) == kind


def test_a_mirror_holds_files_by_host_and_path(monkeypatch: pytest.MonkeyPatch) -> None:
    url = "https://example.org/a/b.tar.gz"
    assert mirrored(url) == url
    monkeypatch.setenv("HGFN_MIRROR", "http://10.0.0.1:8000/files/")
    assert mirrored(url) == "http://10.0.0.1:8000/files/example.org/a/b.tar.gz"
    monkeypatch.setenv("HGFN_MIRROR", "/a/folder")
    with pytest.raises(ValueError, match=r"HGFN_MIRROR is '/a/folder'; allowed: an http or https"):
        mirrored(url)


@pytest.fixture
def lock(tmp_path: Path) -> Path:
    return tmp_path / "downloads.lock.json"


def test_the_first_download_pins_its_digest(serve: Any, tmp_path: Path, lock: Path) -> None:
    url = f"{serve(whole).url}/f"
    fetch_pinned(url, tmp_path / "one.bin", lock=lock)
    assert json.loads(lock.read_text()) == {url: {"sha256": SHA256, "size": len(BODY)}}
    before = lock.read_bytes()
    fetch_pinned(url, tmp_path / "two.bin", lock=lock)
    assert lock.read_bytes() == before


def test_a_pin_is_of_the_address_and_not_of_the_mirror(
    serve: Any, tmp_path: Path, lock: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HGFN_MIRROR", serve(whole).url)
    fetch_pinned("https://example.org/f", tmp_path / "file.bin", lock=lock)
    assert list(read_pins(lock)) == ["https://example.org/f"]


def test_other_pins_are_kept(serve: Any, tmp_path: Path, lock: Path) -> None:
    other = {"https://example.org/other": {"sha256": "0" * 64, "size": 1}}
    lock.write_text(json.dumps(other))
    fetch_pinned(f"{serve(whole).url}/f", tmp_path / "file.bin", lock=lock)
    assert read_pins(lock)["https://example.org/other"] == other["https://example.org/other"]
    assert len(read_pins(lock)) == 2


@pytest.mark.parametrize("text", ["{", "[]", '{"u": {"sha256": "xyz"}}', '{"u": {}}', "<<<<<<<"])
def test_a_lock_file_that_is_broken_stops_before_the_download(
    serve: Any, tmp_path: Path, lock: Path, text: str
) -> None:
    lock.write_text(text)
    site = serve(whole)
    with pytest.raises(ValueError, match=r"lock\.json: not a table of sha256 by address; take it"):
        fetch_pinned(f"{site.url}/f", tmp_path / "file.bin", lock=lock)
    assert site.asked == []
