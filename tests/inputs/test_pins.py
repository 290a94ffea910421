"""Pins: what a committed file says about a file to fetch is checked, and compared with it."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipeline.inputs.fetch import FetchError
from pipeline.inputs.pins import Pin, fetch_pin, mirrored, read_pin, read_pins

ROOT = Path(__file__).resolve().parents[2]
BODY = b"body" * 1000
SHA256 = hashlib.sha256(BODY).hexdigest()
OTHER = hashlib.sha256(b"other").hexdigest()


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HGFN_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def pin(tmp_path: Path) -> Callable[..., Pin]:
    """`pin(url, sha256=...)` writes a pin and reads it."""

    def write(url: str, **fields: object) -> Pin:
        file = tmp_path / "pin.json"
        known = {"address": url, "sha256": None, "size": None, "licence": "MIT", **fields}
        file.write_text(json.dumps(known))
        return read_pin(file)

    return write


def test_a_file_is_fetched_once_into_the_cache(serve: Any, pin: Any, cache: Path) -> None:
    site = serve(BODY)
    known = pin(f"{site.url}/a/file.bin", sha256=SHA256, size=len(BODY))
    assert fetch_pin(known) == fetch_pin(known)
    assert known.path.relative_to(cache / "downloads").name == "file.bin"
    assert len(site.asked) == 1


def test_files_of_one_name_at_two_addresses_are_two_files(serve: Any, pin: Any) -> None:
    site = serve(b"first", b"second")
    paths = [fetch_pin(pin(f"{site.url}/{version}/data.csv")) for version in ("v1", "v2")]
    assert [path.read_bytes() for path in paths] == [b"first", b"second"]


def test_a_stored_file_of_another_size_is_fetched_again(serve: Any, pin: Any) -> None:
    url = f"{serve(b'old', BODY).url}/file.bin"
    assert fetch_pin(pin(url)).read_bytes() == b"old"
    assert fetch_pin(pin(url, size=len(BODY))).read_bytes() == BODY


@pytest.mark.parametrize("sha256", [None, SHA256[:8]])
def test_a_fetch_without_a_whole_digest_prints_it_once(
    serve: Any, pin: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str], sha256: str | None
) -> None:
    known = pin(f"{serve(BODY).url}/file.bin", sha256=sha256)
    assert fetch_pin(known) == fetch_pin(known)
    expected = f'file.bin: add "sha256": "{SHA256}" to {tmp_path}/pin.json\n'
    assert capsys.readouterr().err == expected


def test_other_content_names_the_pin_to_correct(serve: Any, pin: Any, tmp_path: Path) -> None:
    site = serve(b"other")
    with pytest.raises(FetchError) as caught:
        fetch_pin(pin(f"{site.url}/file.bin", sha256=SHA256))
    assert str(caught.value) == (
        f"{site.url}/file.bin: sha256 is {OTHER}, expected {SHA256}; open the address by hand; if "
        f"its authors published a new file, correct {tmp_path}/pin.json"
    )


@pytest.mark.parametrize("page", [b"<!doctype html>", b"\xef\xbb\xbf\n <html>"])
def test_a_login_page_is_not_taken_for_the_file(
    serve: Any, pin: Any, cache: Path, page: bytes
) -> None:
    with pytest.raises(FetchError, match="returns a web page, perhaps the login of your network"):
        fetch_pin(pin(f"{serve(page).url}/file.bin"))
    assert [file.name for file in cache.rglob("file.bin*")] == ["file.bin.lock"]


def test_a_mirror_has_files_by_host_and_path(
    serve: Any, pin: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = "https://example.org/a/b.tar.gz?version=2"
    assert mirrored(url) == url
    site = serve(BODY)
    monkeypatch.setenv("HGFN_MIRROR", f"{site.url}/files/")
    assert fetch_pin(pin(url, sha256=SHA256)).read_bytes() == BODY
    assert site.paths == ["/files/example.org/a/b.tar.gz?version=2"]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"address": "file:///etc/passwd"}, "address: String should match pattern"),
        ({"address": "https://example.org/"}, "address: String should match pattern"),
        ({"sha256": "0123"}, "sha256: String should match pattern"),
        ({"size": "10"}, "size: Input should be a valid integer"),
        ({"sha-256": SHA256}, "sha-256: Extra inputs are not permitted"),
        ({"where": "elsewhere"}, "where: Extra inputs are not permitted"),
    ],
)
def test_a_wrong_pin_names_file_and_key(
    pin: Any, tmp_path: Path, fields: dict[str, object], message: str
) -> None:
    with pytest.raises(ValueError, match=re.escape(f"{tmp_path}/pin.json: {message}")):
        pin("https://example.org/f", **fields)


@pytest.mark.parametrize("text", ["{", "[]", "\xff"])
def test_a_file_without_a_pin_is_named(tmp_path: Path, text: str) -> None:
    file = tmp_path / "pin.json"
    file.write_bytes(text.encode("latin-1"))
    with pytest.raises(ValueError, match=re.escape(f"{file}: ")):
        read_pin(file)


def test_several_pins_are_read_by_name(tmp_path: Path) -> None:
    one = {"address": "https://example.org/f", "sha256": None, "size": 1, "licence": "MIT"}
    file = tmp_path / "pins.json"
    file.write_text(json.dumps({"a": one, "b": {**one, "size": 2}}))
    assert [(name, pin.size) for name, pin in read_pins(file).items()] == [("a", 1), ("b", 2)]
    file.write_text(json.dumps({"a": one, "b": {**one, "size": -1}}))
    with pytest.raises(ValueError, match=re.escape(f"{file}: b.size: ")):
        read_pins(file)


def test_crisismmds_pin_is_readable() -> None:
    assert read_pin(ROOT / "sources" / "crisismmd_v2.json").name == "CrisisMMD_v2.0.tar.gz"
