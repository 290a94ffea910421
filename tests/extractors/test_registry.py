"""features.<modality>: what is refused in the stage params, and what the stage weights accepts."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from pipeline.extractors import registry
from pipeline.extractors.encoder import Origin
from pipeline.extractors.inception import FILE
from pipeline.extractors.registry import ENCODERS, Entry, check_encoder, obtain, open_encoder
from pipeline.params import AudioParams, EncoderParams, TextParams, VisualParams, load_params

ROOT = Path(__file__).resolve().parents[2]
SCHEMAS = {"visual": VisualParams, "text": TextParams, "audio": AudioParams}


def section(modality: str, **changes: Any) -> EncoderParams:
    shipped = getattr(load_params(ROOT / "params.yaml").features, modality)
    return SCHEMAS[modality](**{**shipped.model_dump(), **changes})


@pytest.fixture
def hf(monkeypatch: pytest.MonkeyPatch) -> None:
    """An encoder of texts whose library is here, and that has none of ELMo's settings."""
    monkeypatch.setitem(ENCODERS["text"], "hf", Entry("none:None", library="json"))


@pytest.mark.parametrize("modality", SCHEMAS)
def test_the_papers_encoders_take_their_settings(modality: str) -> None:
    check_encoder(modality, section(modality))


@pytest.mark.usefixtures("hf")
@pytest.mark.parametrize(
    ("modality", "changes", "message"),
    [
        ("text", {"encoder": "elmoo"}, "text.encoder is 'elmoo' (did you mean elmo?); allowed: el"),
        ("text", {"encoder": "elmo:small"}, "features.text.encoder is 'elmo:small'"),
        ("text", {"encoder": "hf:"}, "features.text.encoder is 'hf:'"),
        ("text", {"encoder": "hf"}, "allowed: elmo, hf:<model>"),
        (
            "text",
            {"encoder": "hf:net", "weights": "pretrained", "model": "medium"},
            "features.text.model is medium, but hf has no model; set it to small",
        ),
        (
            "text",
            {"encoder": "hf:net", "weights": "pretrained", "layer": "top"},
            "features.text.layer is top, but hf has no layer; set it to average",
        ),
        (
            "text",
            {"encoder": "hf:no/net", "weights": __file__},
            "hf:no/net: no folder 'no/net', and not pinned",
        ),
        ("text", {"encoder": "hf:net"}, "set features.text.weights to pretrained"),
        (
            "audio",
            {"weights": "/no/such.npy"},
            "features.audio.weights is '/no/such.npy', no such file or folder; allowed: untrained",
        ),
    ],
)
def test_what_does_not_fit_together_is_refused_by_its_key(
    modality: str, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        check_encoder(modality, section(modality, **changes))


def test_a_missing_library_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(ENCODERS["text"], "hf", Entry("none:None", library="no_such_library"))
    monkeypatch.setattr(registry, "folder_or_pin", lambda encoder: None)
    with pytest.raises(ValueError, match=r'no_such_library: pip install -e "\.\[encoders\]"'):
        check_encoder("text", section("text", encoder="hf:net", weights="pretrained"))


def test_encoders_are_checked_without_their_libraries() -> None:
    code = (
        "import sys; from pathlib import Path; from pipeline.doctor import check_params; "
        "check_params(Path(sys.argv[1])); "
        "assert not {'torch', 'transformers', 'timm'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code, ROOT / "params.yaml"], check=True, cwd=ROOT)


def test_a_given_checkpoint_with_other_classes_is_taken_and_described(
    weights: Path, tmp_path: Path
) -> None:
    state = load_file(weights / "inception.safetensors")
    state["fc.weight"], state["fc.bias"] = torch.zeros(5, 2048), torch.zeros(5)
    torch.save({"state_dict": state}, tmp_path / "tuned.pth")
    params = section("visual", weights=str(tmp_path / "tuned.pth"))
    origin = obtain("visual", params, tmp_path / "visual")
    assert (origin.encoder, origin.weights) == ("inception_v3", "given")
    assert origin.note.startswith("tuned.pth (sha256 ")
    encoder, read = open_encoder("visual", params, tmp_path / "visual")
    assert (encoder.dim, encoder.size, read) == (2048, 224, origin)
    kept = load_file(tmp_path / "visual" / FILE)
    assert all(torch.equal(tensor, state[name]) for name, tensor in kept.items())


def test_a_given_checkpoint_of_another_network_is_refused_by_its_first_misfit(
    tmp_path: Path,
) -> None:
    save_file({"conv1.weight": torch.zeros(3)}, tmp_path / "other.safetensors")
    params = section("audio", weights=str(tmp_path / "other.safetensors"))
    with pytest.raises(ValueError, match="other") as caught:
        obtain("audio", params, tmp_path / "audio")
    assert str(caught.value).startswith(
        f"features.audio.weights: {tmp_path}/other.safetensors: tensor conv1.weight is 3, expected"
    )
    assert not (tmp_path / "audio").exists()


def test_a_given_folder_of_elmo_holds_both_files(weights: Path, tmp_path: Path) -> None:
    folder = tmp_path / "elmo"
    folder.mkdir()
    (folder / "my_options.json").symlink_to(weights / "options.json")
    params = section("text", weights=str(folder))
    with pytest.raises(ValueError, match=r"holds 0 files \*weights\.hdf5, expected one"):
        obtain("text", params, tmp_path / "text")
    (folder / "my_weights.hdf5").symlink_to(weights / "weights.hdf5")
    assert obtain("text", params, tmp_path / "text").weights == "given"
    assert open_encoder("text", params, tmp_path / "text")[0].dim == 256


def test_weights_of_another_encoder_are_not_opened(tmp_path: Path) -> None:
    Origin("hf:net", "pretrained", "MIT").write(tmp_path)
    with pytest.raises(ValueError, match=r"weights of hf:net, but features\.text\.encoder is 'elm"):
        open_encoder("text", section("text"), tmp_path)
