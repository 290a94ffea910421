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
from pipeline.extractors import weights as home
from pipeline.extractors.elmo_files import published_options
from pipeline.extractors.weights import NETWORKS, PINS, needed_networks, obtain
from pipeline.ground import data_set as outputs
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
    converted = load_file(outputs.INCEPTION)
    expected = load_file(weights / "inception.safetensors")
    blocks = [{name.split(".")[0] for name in names} for names in (expected, converted)]
    assert blocks[0] - blocks[1] == {"AuxLogits", "fc"}
    assert all(np.array_equal(array, expected[name]) for name, array in converted.items())
    assert outputs.ELMO_WEIGHTS.read_bytes() == (weights / "weights.hdf5").read_bytes()
    assert outputs.ELMO_OPTIONS.read_bytes() == (weights / "options.json").read_bytes()
    sound = load_file(outputs.SOUNDNET)
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


def test_without_a_network_nothing_is_converted(
    project: Path, monkeypatch: pytest.MonkeyPatch, serve: Any
) -> None:
    monkeypatch.setenv("HGFN_MIRROR", serve(lambda handler: handler.send_error(404)).url)
    with pytest.raises(ValueError, match="404") as caught:
        stage.weights()
    cure = "put inception_v3_google-0cc3c7bd.pth into a folder and set HGFN_WEIGHTS to it"
    assert str(caught.value).endswith(f"; check the network, or {cure}")
    assert list(outputs.WEIGHTS.iterdir()) == []


def test_every_network_of_every_model_is_pinned() -> None:
    pins = read_pins(ROOT / PINS)
    assert {name for names in NETWORKS.values() for name in names} == set(pins)
    for model in ("small", "medium", "original", "original_5.5b"):
        assert set(needed_networks(model)) <= set(NETWORKS)


def test_another_networks_state_is_refused_by_its_first_misfit(tmp_path: Path) -> None:
    state = Inception3(num_classes=1000, init_weights=False).state_dict()
    state["Mixed_5b.branch1x1.conv.weight"] = torch.zeros(64, 192, 3, 3)
    torch.save(state, tmp_path / "other.pth")
    with pytest.raises(ValueError, match="other") as caught:
        home.convert_inception(tmp_path / "other.pth", tmp_path / "out.safetensors")
    assert str(caught.value) == (
        f"{tmp_path}/other.pth: tensor Mixed_5b.branch1x1.conv.weight is 64x192x3x3, expected "
        "64x192x1x1; not the weights of Inception V3"
    )
    assert not (tmp_path / "out.safetensors").exists()


def test_elmos_other_size_is_refused(weights: Path, tmp_path: Path) -> None:
    outs = tmp_path / "options.json", tmp_path / "weights.hdf5"
    with pytest.raises(ValueError, match="options") as caught:
        home.copy_elmo(weights / "options.json", weights / "weights.hdf5", "medium", *outs)
    assert str(caught.value) == (
        f"{weights}/options.json: tensor CNN_proj/W_proj is 2048x128, expected 2048x256; not the "
        "weights of ELMo's medium model"
    )
    medium = tmp_path / "medium.json"
    medium.write_text(json.dumps(published_options("medium")))
    with pytest.raises(ValueError, match="different models") as caught:
        home.copy_elmo(medium, weights / "weights.hdf5", "medium", *outs)
    assert str(caught.value).startswith(
        f"{weights}/weights.hdf5: tensor CNN_proj/W_proj is 2048x128, expected 2048x256; not"
    )
    assert not any(path.exists() for path in outs)


def test_elmo_with_a_nan_is_refused(weights: Path, tmp_path: Path) -> None:
    shutil.copy(weights / "weights.hdf5", tmp_path / "nan.hdf5")
    with h5py.File(tmp_path / "nan.hdf5", "r+") as file:
        file["CNN_proj/b_proj"][3] = np.nan
    outs = tmp_path / "options.json", tmp_path / "weights.hdf5"
    with pytest.raises(ValueError, match=r"nan\.hdf5: tensor CNN_proj/b_proj .*not finite"):
        home.copy_elmo(weights / "options.json", tmp_path / "nan.hdf5", "small", *outs)


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
        home.convert_soundnet(path, tmp_path / "out.safetensors")
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
        "Inception V3: needed",
        "ELMo small: not needed",
        "ELMo medium: needed",
        "ELMo original: not needed",
        "ELMo original_5.5b: not needed",
        "SoundNet-8: needed",
    ]
    assert "  http://127.0.0.1:9/data.csail.mit.edu/soundnet/soundnet_models_public.zip" in lines
    assert any(line.endswith(f"here: {given}/sound8.npy") for line in lines)
    assert sum(" here: " in line for line in lines) == 1
    assert sum("Apache-2.0" in line for line in lines) == 4


def test_untrained_weights_need_no_file(project: Path) -> None:
    shutil.copy(ROOT / "params.yaml", "params.yaml")
    assert report().startswith("features.weights: untrained, which needs no file")
    assert ": needed" not in report()
