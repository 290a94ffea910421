from __future__ import annotations

import json
import pickle
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from pipeline.extractors.encoder import Run
from pipeline.extractors.timm_vision import TENSORS, TimmVisual, built, fold
from pipeline.media import MediaError, read_photo

timm = pytest.importorskip("timm", reason="the extra `encoders` is not installed")

# timm's own smallest networks: a convolutional one with batch norms, and a transformer.
NETWORKS = ("test_efficientnet", "test_vit")
PARAMS = SimpleNamespace(size=224, precision="float32")


def trained(name: str) -> Any:
    """A seeded network whose batch norms scale and centre, as trained ones do."""
    torch.manual_seed(0)
    network = timm.create_model(name, num_classes=7)
    generator = torch.Generator().manual_seed(0)
    for key, tensor in network.state_dict().items():
        if key.endswith(("running_var", "bn1.weight", "norm1.weight")):
            tensor.uniform_(0.8, 1.25, generator=generator)
        if key.endswith("running_mean"):
            tensor.normal_(0, 0.3, generator=generator)
    return network.eval()


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A checkpoint of each network, with its classifier."""
    folder = tmp_path_factory.mktemp("timm")
    for name in NETWORKS:
        save_file(trained(name).state_dict(), folder / f"{name}.safetensors")
    return {name: folder / f"{name}.safetensors" for name in NETWORKS}


@pytest.fixture(scope="module", params=NETWORKS)
def encoder(
    request: pytest.FixtureRequest,
    checkpoints: dict[str, Path],
    tmp_path_factory: pytest.TempPathFactory,
) -> TimmVisual:
    folder = tmp_path_factory.mktemp(request.param)
    TimmVisual.obtain(request.param, str(checkpoints[request.param]), folder)
    return TimmVisual.of(folder, PARAMS)


@pytest.fixture(scope="module")
def run(encoder: TimmVisual) -> Run:
    """The encoder, loaded once."""
    return encoder.load()


@pytest.fixture(scope="module")
def photos() -> list[np.ndarray]:
    """Wide, tall, smaller than the network's input, and very long."""
    generator = np.random.default_rng(0)
    sizes = [(203, 311), (333, 180), (50, 71), (8, 400)]
    return [generator.integers(0, 256, (*size, 3), dtype=np.uint8) for size in sizes]


def inputs(encoder: TimmVisual, photos: list[np.ndarray]) -> list[np.ndarray]:
    return [encoder.prepare(photo)[None] for photo in photos]


@torch.inference_mode()
def plain(encoder: TimmVisual, checkpoint: Path, photo: np.ndarray) -> np.ndarray:
    """timm's own way, from a picture to its pooled vector."""
    name = encoder.config.architecture
    network = timm.create_model(name, num_classes=7)
    network.load_state_dict(load_file(checkpoint))
    network.reset_classifier(0)
    transform = timm.data.create_transform(**timm.data.resolve_data_config({}, model=network))
    return network.eval()(transform(Image.fromarray(photo))[None]).numpy()


def test_features_are_timms(
    encoder: TimmVisual, run: Run, checkpoints: dict[str, Path], photos: list[np.ndarray]
) -> None:
    for photo in photos[:3]:
        expected = plain(encoder, checkpoints[encoder.config.architecture], photo)
        actual = run([encoder.prepare(photo)[None]])[0]
        assert actual.shape == (1, encoder.dim)
        assert actual.dtype == np.float32
        assert np.abs(actual - expected).max() < 1e-5 * np.abs(expected).max()


@pytest.mark.parametrize("encoder", ["test_efficientnet"], indirect=True)
def test_every_batch_norm_of_an_efficientnet_is_folded(encoder: TimmVisual) -> None:
    network = built(encoder.config, encoder.folder / TENSORS)
    norms = sum(isinstance(module, torch.nn.BatchNorm2d) for module in network.modules())
    assert fold(network, encoder.size) == norms > 10


def test_a_photos_bytes_depend_on_no_company_and_no_process(
    encoder: TimmVisual, run: Run, photos: list[np.ndarray]
) -> None:
    prepared = inputs(encoder, photos)
    alone = [run([one])[0].tobytes() for one in prepared]
    worker: TimmVisual = pickle.loads(pickle.dumps(encoder))  # as it comes to a worker
    together = worker.load()(prepared[::-1])[::-1]
    assert [one.tobytes() for one in together] == alone
    assert len(set(alone)) == len(alone)


def test_bfloat16_is_near_float32(encoder: TimmVisual, run: Run, photos: list[np.ndarray]) -> None:
    rounded = TimmVisual(encoder.folder, encoder.config, encoder.size, "bfloat16")
    runs = rounded.load(), run
    for one in inputs(encoder, photos[:2]):
        a, b = (r([one])[0][0] for r in runs)
        assert a.dtype == np.float32
        assert not np.array_equal(a, b)
        assert a @ b / np.linalg.norm(a) / np.linalg.norm(b) > 0.999
    assert rounded.identity() != encoder.identity()


def test_a_hub_folder_gives_what_its_checkpoint_gives(
    checkpoints: dict[str, Path], photos: list[np.ndarray], tmp_path: Path
) -> None:
    network = timm.create_model("test_efficientnet", num_classes=7)
    network.load_state_dict(load_file(checkpoints["test_efficientnet"]))
    timm.models._hub.save_for_hf(network, tmp_path / "hub", safe_serialization=True)
    features = []
    for name, source, weights in (
        ("a", str(tmp_path / "hub"), "pretrained"),
        ("b", "test_efficientnet", str(checkpoints["test_efficientnet"])),
    ):
        origin = TimmVisual.obtain(source, weights, tmp_path / name)
        encoder = TimmVisual.of(tmp_path / name, PARAMS)
        features.append(encoder.load()(inputs(encoder, photos[:1]))[0].tobytes())
        assert origin.weights == ("pretrained" if weights == "pretrained" else "given")
    assert features[0] == features[1]


def test_another_size_is_taken_where_the_network_can(encoder: TimmVisual) -> None:
    wanted = SimpleNamespace(size=96, precision="float32")
    if encoder.config.pretrained_cfg.fixed_input_size:
        with pytest.raises(ValueError, match=r"features\.visual\.size.*only 160"):
            TimmVisual.of(encoder.folder, wanted)
        return
    small = TimmVisual.of(encoder.folder, wanted)
    picture = np.zeros((120, 130, 3), np.uint8)
    assert small.prepare(picture).shape == (96, 96, 3)
    assert small.load()([small.prepare(picture)[None]])[0].shape == (1, encoder.dim)
    assert small.identity() != encoder.identity()


def test_the_first_wrong_tensor_is_named(checkpoints: dict[str, Path], tmp_path: Path) -> None:
    state = load_file(checkpoints["test_efficientnet"])
    state["conv_stem.weight"] = state["conv_stem.weight"][:, :1].contiguous()
    save_file(state, tmp_path / "grey.safetensors")
    with pytest.raises(ValueError, match=r"grey\.safetensors: tensor conv_stem\.weight is"):
        TimmVisual.obtain("test_efficientnet", str(tmp_path / "grey.safetensors"), tmp_path)
    with pytest.raises(ValueError, match=r"test_vit\.safetensors: tensor .* test_efficientnet"):
        TimmVisual.obtain("test_efficientnet", str(checkpoints["test_vit"]), tmp_path)


@pytest.mark.parametrize(
    ("source", "weights", "message"),
    [
        ("efficientnet_light0", "x.pth", "did you mean efficientnet_lite0"),
        ("resnet18.unknown", "x.pth", "its tags are .*a1_in1k"),
        ("resnet18", "pretrained", "no folder .* not pinned"),
        ("resnet18", "untrained", "set them to pretrained"),
        ("no/such/folder", "x.pth", "no such folder"),
        ("resnet18", "nowhere.pth", r"nowhere\.pth: no such weights file"),
    ],
)
def test_what_cannot_be_meant_is_refused(
    source: str, weights: str, message: str, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match=message):
        TimmVisual.obtain(source, weights, tmp_path)


def test_a_folder_cannot_make_timm_read_other_files(tmp_path: Path) -> None:
    config = {
        "architecture": "test_vit",
        "model_args": {"checkpoint_path": "/etc/passwd"},
        "pretrained_cfg": timm.get_pretrained_cfg("test_vit").to_dict(),
    }
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(ValueError, match=r"model_args\.checkpoint_path is not allowed"):
        TimmVisual.obtain(str(tmp_path), "pretrained", tmp_path / "to")


@pytest.mark.parametrize("encoder", ["test_efficientnet"], indirect=True)
def test_real_photos_of_every_form_give_features(
    shared_data: Path, encoder: TimmVisual, run: Run
) -> None:
    for path in sorted((shared_data / "media" / "image").iterdir()):
        try:
            photo = read_photo(path)
        except MediaError:
            continue
        assert np.isfinite(run([encoder.prepare(photo.pixels)[None]])[0]).all(), path
