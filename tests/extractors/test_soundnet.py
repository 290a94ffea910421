from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundnet_writer as published
import torch
from safetensors.numpy import load_file as load_numpy
from safetensors.torch import load_file
from torch.nn import functional as F

from pipeline.extractors import SoundNet
from pipeline.extractors.soundnet import min_samples, repeated
from pipeline.extractors.soundnet_layers import BLOCKS, LAYERS
from pipeline.media import read_waveform
from pipeline.runtime import weights_folder


@pytest.fixture
def real_first_blocks(weights: Path, shared_data: Path, tmp_path: Path) -> SoundNet:
    """The untrained network with the published conv1 and conv2, in the port's file."""
    layers = published.port_layers(load_numpy(weights / "soundnet.safetensors"))
    real = np.load(shared_data / "soundnet" / "soundnet8_real_conv1_conv2_conv3partial.npz")
    for layer in ("conv1", "conv2"):
        layers[layer] = {name: real[f"{layer}/{name}"] for name in layers[layer]}
    published.save_pickled(tmp_path / "sound8.npy", layers, 2)
    return SoundNet.from_file(tmp_path / "sound8.npy")


@pytest.fixture
def real_soundnet() -> SoundNet:
    """The published network, whole, in the port's file."""
    folder = weights_folder()
    if folder is None or not (folder / "sound8.npy").is_file():
        pytest.skip("the published sound8.npy is not in the folder HGFN_WEIGHTS")
    return SoundNet.from_file(folder / "sound8.npy")


@pytest.mark.parametrize("network", ["real_first_blocks", "real_soundnet"])
def test_the_recorded_extrema_of_conv1_are_reproduced(
    network: str, recording: np.ndarray, request: pytest.FixtureRequest
) -> None:
    soundnet: SoundNet = request.getfixturevalue(network)
    layers = soundnet.network
    with torch.inference_mode():
        convolved = layers.conv1(torch.from_numpy(recording)[None, None] * 256)
        normed = layers.batchnorm1(convolved)
    assert convolved.max().item() == pytest.approx(1584.0886, abs=1e-3)
    assert convolved.min().item() == pytest.approx(-1547.1093, abs=1e-3)
    assert normed.max().item() == pytest.approx(17.7110, abs=1e-4)
    assert normed.min().item() == pytest.approx(-17.3334, abs=1e-4)
    features = soundnet.features(recording, layer="conv1")
    assert features.max() == pytest.approx(17.7110, abs=1e-4)
    assert features.min() == 0
    assert np.isfinite(soundnet.features(recording, layer="pool2")).all()


def test_the_published_file_has_the_tensors_of_the_excerpts(
    real_soundnet: SoundNet, shared_data: Path
) -> None:
    real = np.load(shared_data / "soundnet" / "soundnet8_real_conv1_conv2_conv3partial.npz")
    filters = {"conv1": slice(None), "conv2": slice(None)}
    filters["conv3"] = real["conv3/original_channel_index"]
    for layer, chosen in filters.items():
        published = real_soundnet.network.get_submodule(layer).weight[chosen].numpy()
        assert np.array_equal(published, real[f"{layer}/weights"][:, 0].transpose(2, 1, 0))


def test_the_published_network_tells_a_real_recording_apart_from_silence(
    real_soundnet: SoundNet, shared_data: Path
) -> None:
    sound = read_waveform(shared_data / "soundnet" / "example.wav").samples
    for layer, steps, most in (("pool5", 9, 3.9525), ("conv7", 3, 0.8791)):
        features = real_soundnet.features(sound, layer)
        assert features.shape == (steps, LAYERS[layer])
        # As measured once: a change of resampling or of the network moves it.
        assert features.max() == pytest.approx(most, abs=2e-3)
        silent = real_soundnet.features(np.zeros_like(sound), layer)
        assert np.abs(features - silent).max() > 0.5


def test_layers_are_the_table(soundnet: SoundNet, weights: Path) -> None:
    """Compute every layer again from the file with plain functions."""
    state = load_file(weights / "soundnet.safetensors")
    table = {  # filters, kernel, stride, padding, pool: written out a second time on purpose
        1: (16, 64, 2, 32, 8),
        2: (32, 32, 2, 16, 8),
        3: (64, 16, 2, 8, 1),
        4: (128, 8, 2, 4, 1),
        5: (256, 4, 2, 2, 4),
        6: (512, 4, 2, 2, 1),
        7: (1024, 4, 2, 2, 1),
    }
    sound = np.random.default_rng(0).uniform(-1, 1, 22_050 * 13).astype(np.float32)
    x = torch.from_numpy(sound)[None, None] * 256
    for k, (filters, kernel, stride, padding, pool) in table.items():
        w, b = state[f"conv{k}.weight"], state[f"conv{k}.bias"]
        assert w.shape == (filters, x.shape[1], kernel)
        norm = [state[f"batchnorm{k}.{n}"] for n in ("running_mean", "running_var")]
        scale = [state[f"batchnorm{k}.{n}"] for n in ("weight", "bias")]
        x = F.relu(F.batch_norm(F.conv1d(x, w, b, stride, padding), *norm, *scale, eps=1e-5))
        _assert_equal(soundnet.features(sound, f"conv{k}"), x)
        if pool > 1:
            x = F.max_pool1d(x, pool, pool)
            _assert_equal(soundnet.features(sound, f"pool{k}"), x)


def _assert_equal(actual: np.ndarray, expected: torch.Tensor) -> None:
    assert np.abs(actual - expected[0].T.numpy()).max() < 1e-4 * expected.abs().max()


@pytest.mark.parametrize("layer", LAYERS)
def test_shortest_is_exact(soundnet: SoundNet, layer: str) -> None:
    minimum = min_samples(layer)
    network = soundnet.network
    with torch.inference_mode():
        assert network(torch.zeros(1, 1, minimum), layer).shape[2] == 1
        if minimum > 1:
            with pytest.raises(RuntimeError):
                network(torch.zeros(1, 1, minimum - 1), layer)


@pytest.mark.parametrize("samples", [1, 10, 4_573, 4_574, 22_050])
def test_short_sounds_are_repeated_until_they_give_a_step(soundnet: SoundNet, samples: int) -> None:
    sound = np.random.default_rng(0).uniform(-1, 1, samples).astype(np.float32)
    features = soundnet.features(sound)
    assert features.shape[0] >= 1
    assert features.shape[1] == soundnet.dim == 1024
    minimum = min_samples("conv7")
    assert np.array_equal(repeated(sound, minimum)[:samples], sound)
    assert np.array_equal(features, soundnet.features(repeated(sound, minimum)))


def test_one_step_a_32768_samples(soundnet: SoundNet) -> None:
    sound = np.zeros(32_768 * 6, np.float32)
    assert soundnet.features(sound).shape[0] - soundnet.features(sound[: 32_768 * 3]).shape[0] == 3


def test_sounds_are_distinct_and_no_layer_dies_or_explodes(soundnet: SoundNet) -> None:
    time = np.arange(22_050 * 4) / 22_050
    noise = np.random.default_rng(0).normal(0, 0.1, time.size)
    sounds = {
        "low": 0.2 * np.sin(2 * np.pi * 150 * time),
        "high": 0.2 * np.sin(2 * np.pi * 3000 * time),
        "siren": 0.2 * np.sin(2 * np.pi * (800 * time + 40 * np.sin(2 * np.pi * time))),
        "noise": noise,
        "beats": noise * (np.sin(2 * np.pi * 4 * time) > 0.9),
    }
    for layer in BLOCKS:
        values = [soundnet.features(s.astype(np.float32), f"conv{layer}") for s in sounds.values()]
        assert all(0.02 < value.mean() < 5 for value in values), layer
    pooled = np.stack([value.mean(axis=0) for value in values])
    unit = pooled / np.linalg.norm(pooled, axis=1, keepdims=True)
    assert (1 - unit @ unit.T)[~np.eye(5, dtype=bool)].min() > 0.01
