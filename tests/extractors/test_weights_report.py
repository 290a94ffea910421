"""What `hgfn weights` prints."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from pipeline.cli import app
from pipeline.extractors.registry import ENCODERS
from pipeline.extractors.weights import PINS
from pipeline.extractors.weights_report import NETWORKS
from pipeline.ground.data_set import weights_folder
from pipeline.inputs.pins import read_pins

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def project(bare_project: Path) -> Path:
    """A project with the shipped parameters and pins."""
    shutil.copy(ROOT / "params.yaml", "params.yaml")
    PINS.parent.mkdir()
    shutil.copy(ROOT / PINS, PINS)
    return bare_project


def report() -> str:
    result = CliRunner().invoke(app, ["weights"])
    assert result.exit_code == 0, result.output
    return result.output


def test_every_pin_is_that_of_an_encoder() -> None:
    assert {name for names in NETWORKS.values() for name in names} == set(read_pins(ROOT / PINS))
    assert all(encoder in ENCODERS[modality] for modality, encoder, _ in NETWORKS)


def test_what_is_needed_and_what_is_here_is_named(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = Path("params.yaml").read_text().replace("model: small", "model: medium")
    Path("params.yaml").write_text(text.replace("weights: untrained", "weights: pretrained"))
    given = project / "given"
    given.mkdir()
    (given / "sound8.npy").write_bytes(b"")
    monkeypatch.setenv("HGFN_WEIGHTS", str(given))
    monkeypatch.setenv("HGFN_MIRROR", "http://127.0.0.1:9")
    lines = report().splitlines()
    assert [line.partition(";")[0] for line in lines if "needed;" in line] == [
        "  inception_v3: needed",
        "  elmo small: not needed",
        "  elmo medium: needed",
        "  elmo original: not needed",
        "  elmo original_5.5b: not needed",
        "  soundnet: needed",
        "  hf:sentence-transformers/all-MiniLM-L6-v2: not needed",
    ]
    at = lines.index("  hf:sentence-transformers/all-MiniLM-L6-v2: not needed; apache-2.0")
    assert lines[at + 2].startswith("      9 files, 91.3 MB, ")
    assert "    http://127.0.0.1:9/data.csail.mit.edu/soundnet/soundnet_models_public.zip" in lines
    assert any(line.endswith(f"here: {given}/sound8.npy") for line in lines)
    assert sum(" here: " in line for line in lines) == 1
    assert sum("Apache-2.0" in line for line in lines) == 4


def test_untrained_weights_need_no_file(project: Path) -> None:
    lines = report().splitlines()
    for modality, encoder in (("visual", "inception_v3"), ("text", "elmo"), ("audio", "soundnet")):
        assert f"{modality}: {encoder}, weights untrained" in lines
        assert f"  {weights_folder(modality)}: no weights; run the weights stage first" in lines
    assert not any(": needed" in line for line in lines)
