from __future__ import annotations

import hashlib
import json
import shutil
import zipfile
from dataclasses import replace
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

from pipeline.extractors import InceptionV3, SoundNet, pretrained
from pipeline.extractors.elmo_files import published_options
from pipeline.extractors.published import ELMO, INCEPTION, SOUNDNET
from pipeline.ground import data_set as weight_files
from stages import weights as stage

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def official(weights: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The untrained networks at full size, in the files and the folders of their publishers."""
    root = tmp_path_factory.mktemp("official")
    state = load_file(weights / "inception.safetensors")
    tensors = {name: torch.from_numpy(t) for name, t in state.items() if "batches" not in name}
    torch.save(tensors, _place(root, INCEPTION.url), _use_new_zipfile_serialization=False)
    options, values = ELMO["small"]
    shutil.copy(weights / "options.json", _place(root, options.url))
    shutil.copy(weights / "weights.hdf5", _place(root, values.url))
    network = published.torch7_network(load_file(weights / "soundnet.safetensors"), torch7)
    with zipfile.ZipFile(_place(root, SOUNDNET.url), "w") as archive:
        archive.writestr("soundnet_models_public/soundnet5_final.t7", b"another network")
        archive.writestr("soundnet_models_public/soundnet8_final.t7", torch7.dump(network))
    return root


def _place(root: Path, url: str) -> Path:
    path = root / url.partition("://")[2]
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


@pytest.fixture
def project(tmp_path: Path, official: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project that wants pretrained weights, of which only the digest's beginning is ours."""
    text = (ROOT / "params.yaml").read_text()
    (tmp_path / "params.yaml").write_text(text.replace("weights: untrained", "weights: pretrained"))
    file = official / INCEPTION.url.partition("://")[2]
    ours = replace(INCEPTION, prefix=hashlib.sha256(file.read_bytes()).hexdigest()[:8])
    monkeypatch.setattr("pipeline.extractors.published.INCEPTION", ours)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HGFN_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("HGFN_WEIGHTS", raising=False)
    return tmp_path


def assert_converted(weights: Path, official: Path) -> None:
    """The stage's outputs compute what the published files say."""
    found = load_file(weight_files.INCEPTION)
    expected = load_file(weights / "inception.safetensors")
    assert {name.split(".")[0] for name in expected} - {n.split(".")[0] for n in found} == {
        "AuxLogits",
        "fc",
    }
    assert all(np.array_equal(array, expected[name]) for name, array in found.items())
    assert weight_files.ELMO_WEIGHTS.read_bytes() == (weights / "weights.hdf5").read_bytes()
    assert weight_files.ELMO_OPTIONS.read_bytes() == (weights / "options.json").read_bytes()
    sound = load_file(weight_files.SOUNDNET)
    for name, array in load_file(weights / "soundnet.safetensors").items():
        assert np.array_equal(sound[name], array), name


@pytest.mark.slow
def test_the_stage_converts_what_a_mirror_serves(
    project: Path, weights: Path, official: Path, serve: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def answer(handler: Any) -> None:
        path = official / handler.path.removeprefix("/")
        handler.send_response(200)
        handler.send_header("Content-Length", str(path.stat().st_size))
        handler.end_headers()
        handler.wfile.write(path.read_bytes())

    site = serve(answer)
    monkeypatch.setenv("HGFN_MIRROR", site.url)
    stage.weights()
    assert len(site.paths) == 4
    assert_converted(weights, official)
    assert len(json.loads((project / "downloads.lock.json").read_text())) == 4
    frames = np.random.default_rng(0).integers(0, 256, (2, 90, 90, 3), dtype=np.uint8)
    plain = InceptionV3.from_file(official / INCEPTION.url.partition("://")[2])
    again = InceptionV3.from_file(weight_files.INCEPTION)
    assert np.array_equal(plain.features(frames, 80), again.features(frames, 80))
    assert SoundNet.from_file(weight_files.SOUNDNET).features(np.ones(9, np.float32)).size


def test_the_stage_converts_what_a_folder_holds(
    project: Path, weights: Path, official: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = project / "given"
    given.mkdir()
    for path in official.rglob("*.*"):
        if path.is_file():
            (given / path.name).symlink_to(path)
    monkeypatch.setenv("HGFN_WEIGHTS", str(given))
    monkeypatch.setenv("HGFN_MIRROR", "http://127.0.0.1:9")
    stage.weights()
    assert_converted(weights, official)


def test_without_a_network_nothing_is_converted(
    project: Path, monkeypatch: pytest.MonkeyPatch, serve: Any
) -> None:
    monkeypatch.setenv("HGFN_MIRROR", serve(lambda handler: handler.send_error(404)).url)
    with pytest.raises(ValueError, match="set HGFN_WEIGHTS to it"):
        stage.weights()
    assert list(weight_files.WEIGHTS.iterdir()) == []


def test_another_networks_state_is_refused_by_its_first_misfit(tmp_path: Path) -> None:
    state = Inception3(num_classes=1000, init_weights=False).state_dict()
    state["Mixed_5b.branch1x1.conv.weight"] = torch.zeros(64, 192, 3, 3)
    torch.save(state, tmp_path / "other.pth")
    with pytest.raises(ValueError, match="other") as caught:
        pretrained.convert_inception(tmp_path / "other.pth", tmp_path / "out.safetensors")
    assert str(caught.value) == (
        f"{tmp_path}/other.pth: tensor Mixed_5b.branch1x1.conv.weight is 64x192x3x3, expected "
        "64x192x1x1; not the weights of Inception V3"
    )
    assert not (tmp_path / "out.safetensors").exists()


def test_elmos_other_size_is_refused(weights: Path, tmp_path: Path) -> None:
    outs = tmp_path / "options.json", tmp_path / "weights.hdf5"
    with pytest.raises(ValueError, match="options") as caught:
        pretrained.copy_elmo(weights / "options.json", weights / "weights.hdf5", "medium", *outs)
    assert str(caught.value) == (
        f"{weights}/options.json: tensor CNN_proj/W_proj is 2048x128, expected 2048x256; not the "
        "weights of ELMo's medium model"
    )
    medium = tmp_path / "medium.json"
    medium.write_text(json.dumps(published_options("medium")))
    with pytest.raises(ValueError, match="different models") as caught:
        pretrained.copy_elmo(medium, weights / "weights.hdf5", "medium", *outs)
    assert str(caught.value).startswith(
        f"{weights}/weights.hdf5: tensor CNN_proj/W_proj is 2048x128, expected 2048x256; not"
    )
    assert not any(path.exists() for path in outs)


def test_elmo_with_a_number_that_is_none_is_refused(weights: Path, tmp_path: Path) -> None:
    shutil.copy(weights / "weights.hdf5", tmp_path / "nan.hdf5")
    with h5py.File(tmp_path / "nan.hdf5", "r+") as file:
        file["CNN_proj/b_proj"][3] = np.nan
    outs = tmp_path / "options.json", tmp_path / "weights.hdf5"
    with pytest.raises(ValueError, match=r"nan\.hdf5: tensor CNN_proj/b_proj .*not finite"):
        pretrained.copy_elmo(weights / "options.json", tmp_path / "nan.hdf5", "small", *outs)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (("readme.txt",), "holds 0 files soundnet8_final.t7, expected one"),
        (("a/soundnet8_final.t7", "b/soundnet8_final.t7"), "holds 2 files soundnet8_final.t7, "),
    ],
)
def test_an_archive_without_the_network_is_refused(
    tmp_path: Path, names: tuple[str, ...], message: str
) -> None:
    with zipfile.ZipFile(tmp_path / "models.zip", "w") as archive:
        for name in names:
            archive.writestr(name, b"x")
    with pytest.raises(ValueError, match=message):
        pretrained.convert_soundnet(tmp_path / "models.zip", tmp_path / "out.safetensors")
    assert [path.name for path in tmp_path.iterdir()] == ["models.zip"]


@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_damaged_archive_is_told(tmp_path: Path, method: int) -> None:
    packed = tmp_path / "models.zip"
    with zipfile.ZipFile(packed, "w", method) as archive:
        archive.writestr("soundnet8_final.t7", bytes(range(256)) * 4)
    whole = packed.read_bytes()
    start = 30 + len("soundnet8_final.t7")
    for at in range(start, start + 12):
        packed.write_bytes(whole[:at] + b"\xff" * 8 + whole[at + 8 :])
        with pytest.raises(ValueError, match="; fetch it again"):
            pretrained.unzip(packed, "soundnet8_final.t7", tmp_path)
