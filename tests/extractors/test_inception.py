from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from torchvision.models import Inception3, Inception_V3_Weights
from torchvision.transforms.v2 import functional as F

from pipeline.extractors import InceptionV3
from pipeline.extractors.inception import normalise
from pipeline.media import read_photo


@pytest.fixture(scope="module")
def frames() -> np.ndarray:
    """Four pictures, 150 high and 203 wide: flat, stripes, checks, noise."""
    y, x = np.mgrid[:150, :203]
    generator = np.random.default_rng(0)
    pictures = [
        np.full((150, 203), 90.0),
        127 + 100 * np.sin(x / 4),
        255.0 * ((x // 9 + y // 9) % 2),
        generator.uniform(0, 255, (150, 203)),
    ]
    colours = generator.uniform(0.4, 1, (4, 1, 1, 3))
    return (np.stack(pictures)[..., None] * colours).astype(np.uint8)


@pytest.fixture(scope="module")
def rounded(weights: Path) -> InceptionV3:
    return InceptionV3.from_file(weights / "inception.safetensors", precision="bfloat16")


def torchvision_model(state: dict[str, torch.Tensor]) -> Inception3:
    """Build torchvision's own model, as `inception_v3(weights=...)` does, pooling as its output."""
    model = Inception3(aux_logits=True, transform_input=True, init_weights=False)
    model.load_state_dict(state)
    model.fc = torch.nn.Identity()
    return model.eval()


@torch.inference_mode()
def torchvision_features(model: Inception3, frames: np.ndarray, size: int) -> np.ndarray:
    """Prepare as the official weights' preset does, but resizing bytes, which rounds as Pillow."""
    preset = Inception_V3_Weights.IMAGENET1K_V1.transforms()
    pictures = torch.from_numpy(frames).permute(0, 3, 1, 2)
    pictures = F.center_crop(F.resize(pictures, [size], antialias=True), [size, size])
    images = F.to_dtype(pictures, torch.float32, scale=True)
    return model(F.normalize(images, preset.mean, preset.std)).numpy()


@pytest.mark.parametrize("size", [128, 224])
def test_features_are_torchvisions(
    inception: InceptionV3, weights: Path, frames: np.ndarray, size: int
) -> None:
    model = torchvision_model(load_file(weights / "inception.safetensors"))
    expected = torchvision_features(model, frames[:2], size)
    actual = inception.features(frames[:2], size)
    assert actual.shape == (2, 2048)
    assert actual.dtype == np.float32
    assert np.abs(actual - expected).max() < 1e-5 * np.abs(expected).max()


def test_batch_norm_counts_in_full(tmp_path: Path, weights: Path, frames: np.ndarray) -> None:
    # The untrained file's batch norms only add a bias; trained ones scale and centre too.
    state = load_file(weights / "inception.safetensors")
    generator = torch.Generator().manual_seed(0)
    for name, tensor in state.items():
        if name.endswith(("bn.weight", "bn.running_var")):
            tensor.uniform_(0.8, 1.25, generator=generator)
        if name.endswith("bn.running_mean"):
            tensor.normal_(0, 0.3, generator=generator)
    save_file(state, tmp_path / "trained.safetensors")
    actual = InceptionV3.from_file(tmp_path / "trained.safetensors").features(frames, 128)
    expected = torchvision_features(torchvision_model(state), frames, 128)
    assert np.abs(actual - expected).max() < 1e-5 * np.abs(expected).max()


def test_the_official_file_format_gives_the_same(
    inception: InceptionV3, tmp_path: Path, weights: Path, frames: np.ndarray
) -> None:
    torch.save(load_file(weights / "inception.safetensors"), tmp_path / "inception.pth")
    other = InceptionV3.from_file(tmp_path / "inception.pth")
    assert np.array_equal(other.features(frames, 96), inception.features(frames, 96))


def test_preparing_is_pillows_resize(inception: InceptionV3, frames: np.ndarray) -> None:
    prepared = inception.prepare(frames, 100).astype(int)
    for frame, actual in zip(frames, prepared, strict=True):
        resized = np.asarray(Image.fromarray(frame).resize((135, 100), Image.Resampling.BILINEAR))
        assert np.abs(resized[:, 18:118].astype(int) - actual).max() <= 1


def test_normalisation_is_imagenets_then_transform_input() -> None:
    picture = torch.arange(256, dtype=torch.uint8).expand(1, 3, 256, 256)
    preset = Inception_V3_Weights.IMAGENET1K_V1.transforms()
    images = F.normalize(F.to_dtype(picture, torch.float32, scale=True), preset.mean, preset.std)
    model = Inception3(transform_input=True, init_weights=False, aux_logits=False).eval()
    inputs: list[torch.Tensor] = []
    model.Conv2d_1a_3x3.register_forward_pre_hook(lambda _, arguments: inputs.append(arguments[0]))
    with torch.inference_mode():
        model(images)
    assert torch.allclose(inputs[0], normalise(picture), atol=1e-6)


def test_like_pictures_are_nearer_than_unlike_ones(
    inception: InceptionV3, frames: np.ndarray
) -> None:
    shaken = (frames.astype(int) + np.random.default_rng(1).integers(-4, 5, frames.shape)).clip(
        0, 255
    )
    both = inception.features(np.concatenate([frames, shaken.astype(np.uint8)]))
    for k in range(4):
        distances = np.linalg.norm(both - both[k], axis=1)
        distances[k] = np.inf
        assert distances.argmin() == k + 4


def test_real_photos_are_distinct(inception: InceptionV3, shared_data: Path) -> None:
    folder = shared_data / "media" / "image"
    names = ("incidents_fire.jpg", "incidents_flood.jpg", "cat.jpg")
    features = np.concatenate(
        [inception.features(read_photo(folder / n).pixels[None]) for n in names]
    )
    assert (features.std(axis=0).mean() / features.mean()) > 0.1


def test_the_same_batch_gives_the_same_bytes(inception: InceptionV3, frames: np.ndarray) -> None:
    first = inception.features(frames, 96)
    inception.features(frames[::-1].copy(), 128)
    assert inception.features(frames, 96).tobytes() == first.tobytes()


def cosines(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    a, b = a.astype(np.float64), b.astype(np.float64)
    return (a * b).sum(axis=-1) / (np.linalg.norm(a, axis=-1) * np.linalg.norm(b, axis=-1))


def test_bfloat16_is_near_float32_for_every_frame(
    inception: InceptionV3, rounded: InceptionV3, frames: np.ndarray
) -> None:
    actual = rounded.features(frames)
    assert actual.dtype == np.float32
    assert cosines(actual, inception.features(frames)).min() > 0.9995
    assert not np.array_equal(actual, inception.features(frames))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="this machine has no CUDA GPU")
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_gpu_gives_the_cpus_features(weights: Path, frames: np.ndarray, precision: str) -> None:
    path = weights / "inception.safetensors"
    cpu, gpu = (InceptionV3.from_file(path, d, precision) for d in ("cpu", "cuda"))
    actual = gpu.features(frames)
    assert cosines(actual, cpu.features(frames)).min() > 0.9995
    assert actual.tobytes() == gpu.features(frames).tobytes()


def test_a_gpu_would_convolve_with_cudnn_exactly(
    inception: InceptionV3, frames: np.ndarray
) -> None:
    flags = []

    def note(*_: object) -> None:
        cudnn = torch.backends.cudnn
        flags.append((cudnn.enabled, cudnn.deterministic, cudnn.allow_tf32))

    with inception.network.register_forward_pre_hook(note):
        inception.features(frames, 80)
    assert flags == [(True, True, False)]


def test_preparing_early_changes_nothing(inception: InceptionV3, frames: np.ndarray) -> None:
    prepared = inception.prepare(frames, 96)
    assert prepared.shape == (4, 96, 96, 3)
    assert np.array_equal(inception.features(prepared, 96), inception.features(frames, 96))


@pytest.mark.parametrize("shape", [(1, 4000), (4000, 1), (3, 3), (75, 75)])
def test_extreme_sizes_are_read(inception: InceptionV3, shape: tuple[int, int]) -> None:
    frames = np.random.default_rng(0).integers(0, 256, (1, *shape, 3), dtype=np.uint8)
    assert np.isfinite(inception.features(frames, 80)).all()


def test_no_frame_gives_no_row(inception: InceptionV3) -> None:
    assert inception.features(np.zeros((0, 8, 8, 3), np.uint8)).shape == (0, 2048)


def test_other_weights_are_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"nothing\.safetensors"):
        InceptionV3.from_file(tmp_path / "nothing.safetensors")
    save_file({"a": torch.zeros(1)}, tmp_path / "other.safetensors")
    with pytest.raises(ValueError, match=r"other\.safetensors.*Inception"):
        InceptionV3.from_file(tmp_path / "other.safetensors")
