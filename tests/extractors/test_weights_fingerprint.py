from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest

from pipeline.datasets.http.pins import LOCK, read_pins, write_pin
from pipeline.extractors import weights_fingerprint as home
from pipeline.extractors.published import SOUNDNET, needed
from pipeline.extractors.weights_fingerprint import weights_fingerprint

FILES = list(needed("small").values())


@pytest.fixture(autouse=True)
def project(bare_project: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project that must fetch nothing."""
    monkeypatch.setattr(home, "obtain", lambda file: pytest.fail(f"fetched {file.name}"))
    return bare_project


@pytest.fixture
def given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "given"
    folder.mkdir()
    monkeypatch.setenv("HGFN_WEIGHTS", str(folder))
    return folder


def pin_all(digit: str = "0") -> None:
    for file in FILES:
        write_pin(LOCK, file.url, {"sha256": digit * 64, "size": 1})


def found(recorded: dict[str, Any] | None = None) -> dict[str, Any]:
    fingerprint, absent = weights_fingerprint("pretrained", "small", recorded or {})
    assert absent == []
    return fingerprint


def test_untrained_weights_need_no_file() -> None:
    assert weights_fingerprint("untrained", "small", {}) == ({"source": "untrained"}, [])


def test_a_fetched_file_is_what_it_is_pinned_to() -> None:
    pin_all()
    before = found()
    assert before["files"] == {file.name: "0" * 64 for file in FILES}
    write_pin(LOCK, FILES[0].url, {"sha256": "1" * 64, "size": 1})
    assert found(before)["files"] == before["files"] | {FILES[0].name: "1" * 64}


def test_a_given_port_that_changed_is_noticed(given: Path) -> None:
    pin_all()
    (given / "sound8.npy").write_bytes(b"one")
    before = found()
    assert before["files"][SOUNDNET.name] == hashlib.sha256(b"one").hexdigest()
    (given / "sound8.npy").write_bytes(b"two")
    assert found(before)["files"][SOUNDNET.name] == hashlib.sha256(b"two").hexdigest()


def test_a_given_file_of_the_pinned_contents_changes_nothing(given: Path) -> None:
    pin_all()
    write_pin(LOCK, SOUNDNET.url, {"sha256": hashlib.sha256(b"one").hexdigest(), "size": 3})
    before = found()
    (given / SOUNDNET.name).write_bytes(b"one")
    assert found(before) == before
    (given / SOUNDNET.name).write_bytes(b"two")
    with pytest.raises(ValueError, match=rf"{SOUNDNET.name}: sha256 is \w+, expected \w+; if the"):
        found(before)


def test_what_is_not_at_hand_is_taken_to_be_as_it_was(
    given: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pin_all()
    pins = read_pins()
    del pins[SOUNDNET.url]
    LOCK.unlink()
    for url, pin in pins.items():
        write_pin(LOCK, url, pin)
    (given / "sound8.npy").write_bytes(b"one")
    before = found()
    monkeypatch.delenv("HGFN_WEIGHTS")
    assert weights_fingerprint("pretrained", "small", before) == (before, [SOUNDNET.name])


def test_what_never_was_is_fetched_and_pinned(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        home, "obtain", lambda file: write_pin(LOCK, file.url, {"sha256": "2" * 64, "size": 1})
    )
    assert found()["files"] == {file.name: "2" * 64 for file in FILES}
