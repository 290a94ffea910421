"""The published weights: fetched or given, verified, converted without a changed number."""

from __future__ import annotations

import hashlib
import json
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import soundnet_writer as published
import torch
import torch7_writer as torch7
from safetensors.numpy import load_file
from torchvision.models import Inception3
from typer.testing import CliRunner

from pipeline.cli import app
from pipeline.extractors import elmo, inception, soundnet
from pipeline.extractors.elmo_files import check_model, published_options
from pipeline.extractors.registry import ENCODERS
from pipeline.extractors.weights import PINS, obtain
from pipeline.extractors.weights_report import NETWORKS
from pipeline.ground.data_set import MODALITIES, weights_folder
from pipeline.inputs.pins import Pin, read_pins
from stages import weights as stage

ROOT = Path(__file__).resolve().parents[2]
BODY = bytes(range(256)) * 100
SHA256 = hashlib.sha256(BODY).hexdigest()
OTHER = hashlib.sha256(b"other").hexdigest()
URL = "https://example.org/models/net.pth"


def pin(sha256: str | None = SHA256, url: str = URL) -> Pin:
    return Pin(address=url, sha256=sha256, size=None, licence="MIT", where="pins.json, net")


@pytest.fixture
def given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of files that were carried to a machine without a network."""
    folder = tmp_path / "given"
    folder.mkdir()
    monkeypatch.setenv("HGFN_WEIGHTS", str(folder))
    monkeypatch.setenv("HGFN_MIRROR", "http://127.0.0.1:9")
    return folder


@pytest.mark.parametrize("expected", [SHA256, SHA256[:8]])
def test_a_given_file_must_be_the_pinned_one(given: Path, expected: str) -> None:
    (given / "net.pth").write_bytes(BODY)
    assert obtain("net", pin(expected)) == given / "net.pth"
    (given / "net.pth").write_bytes(b"other")
    with pytest.raises(ValueError, match="net") as caught:
        obtain("net", pin(expected))
    assert str(caught.value) == (
        f"{given}/net.pth: sha256 is {OTHER}, expected {expected}; give the file of {URL}, or "
        "correct pins.json, net if its authors published a new one"
    )


def test_a_port_of_soundnet_is_used_under_its_name(given: Path) -> None:
    (given / "sound8.npy").write_bytes(b"other")
    assert obtain("soundnet8", pin()) == given / "sound8.npy"


def test_a_missing_folder_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HGFN_WEIGHTS", "/nowhere/nets")
    with pytest.raises(ValueError, match="HGFN_WEIGHTS is '/nowhere/nets'; allowed: a folder of"):
        obtain("net", pin())


@pytest.fixture(scope="module")
def official(weights: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The untrained networks at full size, in the files of their publishers."""
    root, pins = tmp_path_factory.mktemp("official"), read_pins(ROOT / PINS)
    state = load_file(weights / "inception.safetensors")
    tensors = {name: torch.from_numpy(t) for name, t in state.items() if "batches" not in name}
    path = root / pins["inception_v3"].name
    torch.save(tensors, path, _use_new_zipfile_serialization=False)
    shutil.copy(weights / "options.json", root / pins["elmo_small_options"].name)
    shutil.copy(weights / "weights.hdf5", root / pins["elmo_small_weights"].name)
    network = published.torch7_network(load_file(weights / "soundnet.safetensors"), torch7)
    with zipfile.ZipFile(root / pins["soundnet8"].name, "w") as archive:
        archive.writestr("soundnet_models_public/soundnet5_final.t7", b"another network")
        archive.writestr("soundnet_models_public/soundnet8_final.t7", torch7.dump(network))
    return root


@pytest.fixture
def project(bare_project: Path, official: Path) -> Path:
    """A project with pretrained weights, whose pin of Inception V3 fits the file made here."""
    text = (ROOT / "params.yaml").read_text()
    Path("params.yaml").write_text(text.replace("weights: untrained", "weights: pretrained"))
    pins = json.loads((ROOT / PINS).read_text())
    name = Path(pins["inception_v3"]["address"]).name
    digest = hashlib.sha256((official / name).read_bytes()).hexdigest()
    pins["inception_v3"]["sha256"] = digest[:8]
    PINS.parent.mkdir()
    PINS.write_text(json.dumps(pins))
    return bare_project


def assert_converted(weights: Path, official: Path) -> None:
    """The stage's outputs hold the numbers of the published files."""
    converted = load_file(weights_folder("visual") / inception.FILE)
    expected = load_file(weights / "inception.safetensors")
    blocks = [{name.split(".")[0] for name in names} for names in (expected, converted)]
    assert blocks[0] - blocks[1] == {"AuxLogits", "fc"}
    assert all(np.array_equal(array, expected[name]) for name, array in converted.items())
    text = weights_folder("text")
    assert (text / elmo.WEIGHTS).read_bytes() == (weights / "weights.hdf5").read_bytes()
    assert (text / elmo.OPTIONS).read_bytes() == (weights / "options.json").read_bytes()
    sound = load_file(weights_folder("audio") / soundnet.FILE)
    for name, array in load_file(weights / "soundnet.safetensors").items():
        assert np.array_equal(sound[name], array), name


@pytest.mark.slow
def test_the_stage_converts_what_a_mirror_serves(
    project: Path,
    weights: Path,
    official: Path,
    serve: Any,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def answer(handler: Any) -> None:
        content = (official / Path(handler.path).name).read_bytes()
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(content)))
        handler.end_headers()
        handler.wfile.write(content)

    site = serve(answer)
    monkeypatch.setenv("HGFN_MIRROR", site.url)
    stage.weights()
    stage.weights()
    assert len(site.paths) == 4
    assert capsys.readouterr().err.count('add "sha256"') == 4  # once a file
    assert_converted(weights, official)


def test_the_stage_converts_what_a_folder_holds(
    project: Path, given: Path, weights: Path, official: Path
) -> None:
    for path in official.iterdir():
        (given / path.name).symlink_to(path)
    stage.weights()
    assert_converted(weights, official)


def test_what_is_missing_is_said_for_all_modalities_at_once(
    project: Path, monkeypatch: pytest.MonkeyPatch, serve: Any
) -> None:
    monkeypatch.setenv("HGFN_MIRROR", serve(lambda handler: handler.send_error(404)).url)
    with pytest.raises(ValueError, match="404") as caught:
        stage.weights()
    lines = str(caught.value).splitlines()
    assert [line.partition(": ")[0] for line in lines] == [
        f"features.{modality}.weights" for modality in MODALITIES
    ]
    cure = "put inception_v3_google-0cc3c7bd.pth into a folder and set HGFN_WEIGHTS to it"
    assert lines[0].endswith(f"; check the network, or {cure}")
    assert not any(weights_folder(modality).exists() for modality in MODALITIES)


def test_every_pin_is_that_of_an_encoder() -> None:
    assert {name for names in NETWORKS.values() for name in names} == set(read_pins(ROOT / PINS))
    assert all(encoder in ENCODERS[modality] for modality, encoder, _ in NETWORKS)


def test_another_networks_state_is_refused_by_its_first_misfit(tmp_path: Path) -> None:
    state = Inception3(num_classes=1000, init_weights=False).state_dict()
    state["Mixed_5b.branch1x1.conv.weight"] = torch.zeros(64, 192, 3, 3)
    torch.save(state, tmp_path / "other.pth")
    with pytest.raises(ValueError, match="other") as caught:
        inception.convert(tmp_path / "other.pth", tmp_path / "out.safetensors")
    assert str(caught.value) == (
        f"{tmp_path}/other.pth: tensor Mixed_5b.branch1x1.conv.weight is 64x192x3x3, expected "
        "64x192x1x1; not the weights of Inception V3"
    )
    assert not (tmp_path / "out.safetensors").exists()


def test_elmos_other_size_is_refused(weights: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="options") as caught:
        check_model(weights / "options.json", weights / "weights.hdf5", "medium")
    assert str(caught.value) == (
        f"{weights}/options.json: tensor CNN_proj/W_proj is 2048x128, expected 2048x256; not the "
        "weights of ELMo's medium model"
    )
    medium = tmp_path / "medium.json"
    medium.write_text(json.dumps(published_options("medium")))
    with pytest.raises(ValueError, match="different models") as caught:
        check_model(medium, weights / "weights.hdf5", "medium")
    assert str(caught.value).startswith(
        f"{weights}/weights.hdf5: tensor CNN_proj/W_proj is 2048x128, expected 2048x256; not"
    )


def test_elmo_with_a_nan_is_refused(weights: Path, tmp_path: Path) -> None:
    shutil.copy(weights / "weights.hdf5", tmp_path / "nan.hdf5")
    with h5py.File(tmp_path / "nan.hdf5", "r+") as file:
        file["CNN_proj/b_proj"][3] = np.nan
    with pytest.raises(ValueError, match=r"nan\.hdf5: tensor CNN_proj/b_proj .*not finite"):
        check_model(weights / "options.json", tmp_path / "nan.hdf5", "small")


def zip_of(*names: str) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        with zipfile.ZipFile(path, "w") as archive:
            for name in names:
                archive.writestr(name, b"x")

    return write


@pytest.mark.parametrize(
    ("write", "message"),
    [
        (zip_of("readme.txt"), "holds 0 files soundnet8_final.t7, expected one"),
        (zip_of("a/soundnet8_final.t7", "b/soundnet8_final.t7"), "holds 2 files soundnet8_final.t"),
    ],
    ids=["no network", "two networks"],
)
def test_an_archive_without_the_network_is_refused(
    tmp_path: Path, write: Callable[[Path], None], message: str
) -> None:
    path = tmp_path / "models.zip"
    write(path)
    with pytest.raises(ValueError, match="models") as caught:
        soundnet.convert(path, tmp_path / "out.safetensors")
    assert str(caught.value).startswith(f"{path}: {message}")
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]


def report() -> str:
    result = CliRunner().invoke(app, ["weights"])
    assert result.exit_code == 0, result.output
    return result.output


def test_the_report_names_what_is_needed_and_what_is_here(project: Path, given: Path) -> None:
    text = Path("params.yaml").read_text()
    Path("params.yaml").write_text(text.replace("model: small", "model: medium"))
    (given / "sound8.npy").write_bytes(b"")
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
    assert "    http://127.0.0.1:9/data.csail.mit.edu/soundnet/soundnet_models_public.zip" in lines
    assert any(line.endswith(f"here: {given}/sound8.npy") for line in lines)
    assert sum(" here: " in line for line in lines) == 1
    assert sum("Apache-2.0" in line for line in lines) == 4


def test_untrained_weights_need_no_file(project: Path) -> None:
    shutil.copy(ROOT / "params.yaml", "params.yaml")
    lines = report().splitlines()
    for modality, encoder in (("visual", "inception_v3"), ("text", "elmo"), ("audio", "soundnet")):
        assert f"{modality}: {encoder}, weights untrained" in lines
        assert f"  {weights_folder(modality)}: no weights; run the weights stage first" in lines
    assert not any(": needed" in line for line in lines)
