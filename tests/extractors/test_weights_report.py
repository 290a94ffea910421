from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from pipeline.cli import app

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project that wants pretrained weights, and a folder for them."""
    text = (ROOT / "params.yaml").read_text()
    (tmp_path / "params.yaml").write_text(
        text.replace("weights: untrained", "weights: pretrained").replace(
            "model: small", "model: medium"
        )
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HGFN_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HGFN_WEIGHTS", str(tmp_path))
    monkeypatch.delenv("HGFN_MIRROR", raising=False)
    return tmp_path


def report() -> str:
    result = CliRunner().invoke(app, ["weights"])
    assert result.exit_code == 0, result.output
    return result.output


def test_the_needed_networks_are_those_of_the_parameters(given: Path) -> None:
    lines = [line.partition(";")[0] for line in report().splitlines() if "needed;" in line]
    assert lines == [
        "Inception V3: needed",
        "ELMo small: not needed",
        "ELMo medium: needed",
        "ELMo original: not needed",
        "ELMo original_5.5b: not needed",
        "SoundNet-8: needed",
    ]


def test_it_says_from_where_how_large_on_which_terms_and_what_is_here(given: Path) -> None:
    (given / "sound8.npy").write_bytes(b"")
    said = report()
    assert "https://download.pytorch.org/models/inception_v3_google-0cc3c7bd.pth" in said
    assert "about 109 MB, sha256 0cc3c7bd... as published, not here" in said
    assert "Apache-2.0" in said
    assert f"here: {given}/sound8.npy" in said
    assert said.count("here: ") == 1


def test_the_addresses_are_those_of_the_mirror(
    given: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HGFN_MIRROR", "http://127.0.0.1:8000/mirror/")
    said = report()
    assert "http://127.0.0.1:8000/mirror/data.csail.mit.edu/soundnet/" in said
    assert "https://" not in said


def test_untrained_weights_need_no_file(given: Path) -> None:
    shutil.copy(ROOT / "params.yaml", given / "params.yaml")
    said = report()
    assert said.startswith("features.weights: untrained, which needs no file")
    assert ": needed" not in said
