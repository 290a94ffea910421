"""Repositories of the hub: what a pin names is fetched, verified and kept together."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from pipeline.inputs import hub_pins
from pipeline.inputs.fetch import FetchError
from pipeline.inputs.hub_pins import HubPin, obtain_repository, read_hub_pins
from pipeline.inputs.pins import read_pins
from tests.inputs.answers import Answer, reply

ROOT = Path(__file__).resolve().parents[2]
REVISION = "0123456789abcdef0123456789abcdef01234567"
FILES = {"config.json": b"{}", "1_Pooling/config.json": b"{ }", "model.safetensors": b"w" * 5000}


def described(files: dict[str, bytes]) -> dict[str, object]:
    return {
        name: {"sha256": hashlib.sha256(body).hexdigest(), "size": len(body)}
        for name, body in files.items()
    }


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file of pins: one file, and one repository."""
    monkeypatch.setenv("HGFN_CACHE", str(tmp_path / "cache"))
    for name in ("HF_TOKEN", "HGFN_WEIGHTS", "HGFN_MIRROR"):
        monkeypatch.delenv(name, raising=False)
    file = {"address": "https://example.org/f", "sha256": None, "size": 1, "licence": "MIT"}
    repository = {
        "repository": "owner/net",
        "revision": REVISION,
        "licence": "mit",
        "files": described(FILES),
    }
    path = tmp_path / "weights.json"
    path.write_text(json.dumps({"one": file, "hf:owner/net": repository}))
    return path


@pytest.fixture
def pin(path: Path) -> HubPin:
    return read_hub_pins(path)["hf:owner/net"]


@pytest.fixture
def hub(serve: Any, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """`hub(answers)` serves a path's answer as the hub would; else the pinned files."""

    def start(**answers: Answer) -> Any:
        def answer(handler: BaseHTTPRequestHandler) -> None:
            name = handler.path.removeprefix(f"/owner/net/resolve/{REVISION}/")
            body = FILES.get(name)
            missing = reply(404) if body is None else reply(200, body)
            answers.get(name.partition(".")[0], missing)(handler)

        site = serve(answer)
        monkeypatch.setattr(hub_pins, "HUB", site.url)
        return site

    return start


def test_a_repositorys_files_are_fetched_once_into_one_folder(hub: Any, pin: HubPin) -> None:
    site = hub()
    assert not pin.is_here()
    folder = obtain_repository(pin)
    assert obtain_repository(pin) == folder
    assert pin.is_here()
    assert {name: (folder / name).read_bytes() for name in FILES} == FILES
    assert sorted(site.paths) == sorted(f"/owner/net/resolve/{REVISION}/{name}" for name in FILES)
    assert pin.size == sum(map(len, FILES.values()))


def test_a_mirror_stands_in_for_the_hub_and_gets_no_token(
    serve: Any, pin: HubPin, monkeypatch: pytest.MonkeyPatch
) -> None:
    prefix = f"/files/huggingface.co/owner/net/resolve/{REVISION}/"
    site = serve(lambda h: reply(200, FILES[h.path.removeprefix(prefix)])(h))
    monkeypatch.setenv("HGFN_MIRROR", f"{site.url}/files")
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    obtain_repository(pin)
    assert len(site.asked) == 3
    assert not any("Authorization" in headers for headers in site.asked)


def test_the_token_goes_to_the_hub_and_not_where_it_redirects(
    hub: Any, serve: Any, pin: HubPin, monkeypatch: pytest.MonkeyPatch
) -> None:
    storage = serve(FILES["model.safetensors"])
    site = hub(model=reply(302, Location=f"{storage.url}/blob"))
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    obtain_repository(pin)
    assert {headers["Authorization"] for headers in site.asked} == {"Bearer hf_secret"}
    assert len(storage.asked) == 1
    assert "Authorization" not in storage.asked[0]


def test_a_token_that_cannot_be_one_is_not_shown(
    hub: Any, pin: HubPin, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub()
    monkeypatch.setenv("HF_TOKEN", "two words")
    with pytest.raises(ValueError, match="HF_TOKEN has spaces") as caught:
        obtain_repository(pin)
    assert "two" not in str(caught.value)


@pytest.mark.parametrize(
    ("status", "cure"),
    [
        (401, "check the id; if it is gated, accept its terms at {}/owner/net and set HF_TOKEN to"),
        (403, "accept its terms at {}/owner/net and set HF_TOKEN to a token of your account"),
        (404, "check the id and the revision"),
        (410, "check the network, or put the files into a folder net of HGFN_WEIGHTS"),
    ],
)
def test_a_refusal_says_what_to_do(
    hub: Any, pin: HubPin, monkeypatch: pytest.MonkeyPatch, status: int, cure: str
) -> None:
    site = hub(config=reply(status))
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    with pytest.raises(FetchError, match=f"the server answers {status}") as caught:
        obtain_repository(pin)
    assert cure.format(site.url) in str(caught.value)
    assert "hf_secret" not in str(caught.value)
    assert "hf_secret" not in repr(caught.value)


def test_other_bytes_are_refused(hub: Any, pin: HubPin) -> None:
    hub(model=reply(200, b"x" * 5000))
    with pytest.raises(FetchError, match=r"sha256 is .*a revision never changes: check the"):
        obtain_repository(pin)
    assert not pin.is_here()


def test_a_given_folder_is_used_if_its_files_are_the_pinned_ones(
    pin: HubPin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HGFN_WEIGHTS", str(tmp_path))
    for name, body in FILES.items():
        (tmp_path / "net" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "net" / name).write_bytes(body)
    assert obtain_repository(pin) == tmp_path / "net"
    (tmp_path / "net" / "config.json").write_bytes(b"{...}")
    expected = f"{tmp_path}/net/config.json: sha256 is "
    with pytest.raises(ValueError, match=re.escape(expected)):
        obtain_repository(pin)
    (tmp_path / "net" / "config.json").unlink()
    with pytest.raises(ValueError, match="sha256 is none: there is no such file, expected"):
        obtain_repository(pin)


def test_each_form_of_pin_is_read_for_itself(path: Path) -> None:
    assert list(read_pins(path)) == ["one"]
    assert list(read_hub_pins(path)) == ["hf:owner/net"]


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("repository", "../net"),
        ("revision", "main"),
        ("files", {}),
        ("files", described({"../x": b"1"})),
        ("files", described({".git/config": b"1"})),
        ("files", described({"/etc/passwd": b"1"})),
        ("files", {"a": {"sha256": "01234567", "size": 1}}),
    ],
)
def test_a_wrong_pin_of_a_repository_names_file_and_key(path: Path, key: str, value: Any) -> None:
    pins = json.loads(path.read_text())
    pins["hf:owner/net"][key] = value
    path.write_text(json.dumps(pins))
    with pytest.raises(ValueError, match=re.escape(f"{path}: hf:owner/net.{key}")):
        read_hub_pins(path)


def test_the_committed_pins_are_readable() -> None:
    pins = read_hub_pins(ROOT / "sources" / "weights.json")
    for pin in pins.values():
        assert "config.json" in pin.files
        assert any(name.endswith(".safetensors") for name in pin.files)
