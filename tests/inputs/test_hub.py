"""A pin made from the hub's answer: revision, licence, and the digests of what is needed."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from pipeline import cli
from pipeline.inputs import hub, hub_pins
from pipeline.inputs.hub import licence, needed_files, pin_repository, repository_of
from pipeline.inputs.hub_pins import read_hub_pins
from tests.inputs.answers import reply

REVISION = "0123456789abcdef0123456789abcdef01234567"
DIGEST = "ab" * 32
SMALL = {"config.json": b"{}", "tokenizer.json": b"[]", "1_Pooling/config.json": b"{ }"}


def answer_of(names: list[str], **fields: Any) -> bytes:
    """What the hub says of a repository with these files; `.safetensors` are large files."""
    siblings = [
        {"rfilename": name, "size": 9, "lfs": {"sha256": DIGEST, "size": 9, "pointerSize": 1}}
        if name.endswith(".safetensors")
        else {"rfilename": name, "size": 2, "blobId": "f" * 40}
        for name in names
    ]
    known = {"id": "owner/net", "sha": REVISION, "gated": False, "siblings": siblings}
    return json.dumps({**known, "cardData": {"license": "mit"}, **fields}).encode()


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("HF_TOKEN", "HGFN_MIRROR"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "sources").mkdir()
    path = tmp_path / "sources" / "weights.json"
    path.write_text("{}")
    return path


@pytest.fixture
def site(serve: Any, monkeypatch: pytest.MonkeyPatch) -> Callable[[bytes], Any]:
    """`site(answer)` is a hub that says `answer` of each repository and has the small files."""

    def start(about: bytes) -> Any:
        def answer(handler: BaseHTTPRequestHandler) -> None:
            name = handler.path.partition(f"/resolve/{REVISION}/")[2]
            if handler.path.startswith("/api/models/"):
                reply(200, about)(handler)
            else:
                reply(200, SMALL[name])(handler) if name in SMALL else reply(404)(handler)

        started = serve(answer)
        monkeypatch.setattr(hub_pins, "HUB", started.url)
        monkeypatch.setattr(hub, "HUB", started.url)
        return started

    return start


ALL = [*SMALL, "model.safetensors", "pytorch_model.bin", "README.md", "onnx/model.onnx"]


def test_a_pin_has_what_an_encoder_reads_and_nothing_else(site: Any, path: Path) -> None:
    started = site(answer_of(ALL))
    pin_repository(path, "hf:owner/net")
    pin = read_hub_pins(path)["hf:owner/net"]
    assert (pin.repository, pin.revision, pin.licence) == ("owner/net", REVISION, "mit")
    assert pin.files.keys() == {*SMALL, "model.safetensors"}
    assert pin.files["model.safetensors"].sha256 == DIGEST
    for name, body in SMALL.items():
        assert pin.files[name].sha256 == hashlib.sha256(body).hexdigest()
        assert pin.files[name].size == len(body)
    assert started.paths[0] == "/api/models/owner/net?blobs=true"
    assert len(started.paths) == 1 + len(SMALL)  # the hub states the digest of the large file


def test_a_pin_replaces_the_older_one_and_leaves_the_others(site: Any, path: Path) -> None:
    other = {"address": "https://example.org/f", "sha256": None, "size": 1, "licence": "MIT"}
    path.write_text(json.dumps({"one": other, "hf:owner/net": {}}))
    started = site(answer_of(ALL))
    pin_repository(path, "hf:owner/net", "refs/pr/15")
    assert started.paths[0] == "/api/models/owner/net/revision/refs%2Fpr%2F15?blobs=true"
    assert list(json.loads(path.read_text())) == ["one", "hf:owner/net"]
    assert json.loads(path.read_text())["one"] == other


def test_the_command_prints_revision_licence_and_size(
    site: Any, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site(answer_of(ALL))
    monkeypatch.chdir(path.parent.parent)
    result = CliRunner().invoke(cli.app, ["weights", "--pin", "hf:owner/net"])
    assert result.stdout.splitlines() == [
        f"hf:owner/net: owner/net at {REVISION}, mit",
        "4 files, 16 B, written to sources/weights.json; commit it to work with others",
    ]


def test_a_repository_without_safetensors_is_refused(site: Any, path: Path) -> None:
    site(answer_of(["config.json", "pytorch_model.bin"]))
    expected = f"hf:owner/net at revision {REVISION} has no model.safetensors; only safetensors"
    with pytest.raises(ValueError, match=re.escape(expected)):
        pin_repository(path, "hf:owner/net")
    assert path.read_text() == "{}"


def test_a_gated_repository_asks_for_a_token_before_anything_is_fetched(
    site: Any, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started = site(answer_of(ALL, gated="manual"))
    with pytest.raises(ValueError, match=r"owner/net is gated: accept its terms .* set HF_TOKEN"):
        pin_repository(path, "hf:owner/net")
    assert len(started.paths) == 1
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    assert pin_repository(path, "hf:owner/net").licence == "mit, gated"
    assert {headers.get("Authorization") for headers in started.asked[1:]} == {"Bearer hf_secret"}
    assert "hf_secret" not in path.read_text()


@pytest.mark.parametrize("status", [401, 404])
def test_an_unknown_id_is_one_line(
    serve: Any, path: Path, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    started = serve(reply(status))
    monkeypatch.setattr(hub, "HUB", started.url)
    with pytest.raises(ValueError, match=f"owner/net.*answers {status} .*; check the id"):
        pin_repository(path, "hf:owner/net")


@pytest.mark.parametrize("answer", [b"[]", b"{", json.dumps({"sha": "main"}).encode()])
def test_an_answer_of_another_form_is_named(site: Any, path: Path, answer: bytes) -> None:
    site(answer)
    with pytest.raises(ValueError, match=r"check the network: .*/api/models/owner/net"):
        pin_repository(path, "hf:owner/net")


@pytest.mark.parametrize("key", ["owner/net", "hf:", "hf:a/b/c", "hf:../x", "timm:a b", "x:a/b"])
def test_a_key_of_another_form_is_refused(key: str) -> None:
    with pytest.raises(ValueError, match="is no encoder on the hub; allowed: hf:<owner>/<name>"):
        repository_of(key)


def test_timms_models_are_in_its_account() -> None:
    assert repository_of("timm:resnet50.a1_in1k") == "timm/resnet50.a1_in1k"
    assert repository_of("timm:owner/net") == repository_of("hf:owner/net") == "owner/net"


def test_shards_come_with_their_index() -> None:
    shards = [f"model-0000{k}-of-00002.safetensors" for k in (1, 2)]
    index = "model.safetensors.index.json"
    assert needed_files(["config.json", *shards, index], "net") == ["config.json", index, *shards]
    with pytest.raises(ValueError, match=r"net has no model\.safetensors\.index\.json; only"):
        needed_files(["config.json", *shards], "net")
    with pytest.raises(ValueError, match=r"net has no config\.json; only"):
        needed_files(["model.safetensors"], "net")


@pytest.mark.parametrize(
    ("card", "expected"),
    [
        ({"license": "apache-2.0"}, "apache-2.0"),
        ({"license": "other", "license_name": "dinov3-license"}, "dinov3-license"),
        ({"license": "other"}, "other"),
        ({"license": ["mit", "cc-by-4.0"]}, "mit, cc-by-4.0"),
        ({}, "not stated"),
    ],
)
def test_the_licence_is_what_the_card_states(card: dict[str, Any], expected: str) -> None:
    assert licence(card) == expected
