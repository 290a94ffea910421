"""The published weights: fetched or given, verified, converted without a changed number."""

from __future__ import annotations

import hashlib
import json
import shutil
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundnet_writer as published
import torch
import torch7_writer as torch7
from safetensors.numpy import load_file

from pipeline.extractors import elmo, inception, soundnet
from pipeline.extractors.weights import PINS, ModelFolder, model_folder, obtain
from pipeline.ground.data_set import MODALITIES, weights_folder
from pipeline.inputs.pins import Pin, read_pins
from stages import weights as stage

ROOT = Path(__file__).resolve().parents[2]
BODY = bytes(range(256)) * 100
SHA256 = hashlib.sha256(BODY).hexdigest()
REVISION = "0123456789abcdef0123456789abcdef01234567"
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


@pytest.fixture
def pinned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with one pinned repository, whose only file is in HGFN_WEIGHTS."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HGFN_WEIGHTS", str(tmp_path / "given"))
    (tmp_path / "given" / "net").mkdir(parents=True)
    (tmp_path / "given" / "net" / "config.json").write_bytes(b"{}")
    files = {"config.json": {"sha256": hashlib.sha256(b"{}").hexdigest(), "size": 2}}
    pin = {"repository": "owner/net", "revision": REVISION, "licence": "mit", "files": files}
    PINS.parent.mkdir()
    PINS.write_text(json.dumps({"hf:owner/net": pin}))
    return tmp_path


def test_a_pinned_repository_has_licence_and_revision(pinned: Path) -> None:
    expected = ModelFolder(pinned / "given/net", "mit", f"owner/net at revision {REVISION}")
    assert model_folder("hf:owner/net") == expected


def test_a_folder_of_that_name_comes_first(pinned: Path) -> None:
    Path("owner/net").mkdir(parents=True)
    assert model_folder("hf:owner/net") == ModelFolder(Path("owner/net"))


@pytest.mark.usefixtures("pinned")
@pytest.mark.parametrize("encoder", ["hf:owner/other", "timm:owner/net", "hf:/no/such/folder"])
def test_what_is_neither_is_refused_with_the_cure(encoder: str) -> None:
    with pytest.raises(ValueError, match=f"run `hgfn weights --pin {encoder}`"):
        model_folder(encoder)
