"""Audio networks of transformers: features are the library's own, alone and in company."""

from __future__ import annotations

import json
import pickle
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hf_audio_models import MODELS, save

from pipeline.extractors.encoder import Run
from pipeline.extractors.hf_audio import HFAudio, Windows, cut
from pipeline.extractors.hf_folder import library

pytest.importorskip("transformers", reason="the extra `encoders` is not installed")


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("audio")
    return {name: save(name, root / name) for name in MODELS}


@pytest.fixture(scope="module")
def obtained(
    models: dict[str, Path], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, HFAudio]:
    """An encoder of each family, through the stage's own path."""
    encoders = {}
    for name, path in models.items():
        folder = tmp_path_factory.mktemp(name)
        origin = HFAudio.obtain(str(path), "pretrained", folder)
        assert (origin.weights, origin.licence) == ("pretrained", "not stated")
        encoders[name] = HFAudio.of(folder, None)
    return encoders


@pytest.fixture(scope="module")
def runs(obtained: dict[str, HFAudio]) -> dict[HFAudio, Run]:
    """Networks as a worker loads them, once: that takes longer than what these tests compute."""
    return {e: pickle.loads(pickle.dumps(e)).load() for e in obtained.values()}


@pytest.fixture(params=list(MODELS))
def encoder(request: Any, obtained: dict[str, HFAudio]) -> HFAudio:
    return obtained[request.param]


@pytest.fixture
def run(encoder: HFAudio, runs: dict[HFAudio, Run]) -> Run:
    return runs[encoder]


def sound(samples: int, seed: int = 0) -> np.ndarray:
    """Noise of some loudness that swells, so that every part of it is another."""
    noise = np.random.default_rng(seed).normal(0, 0.1, samples)
    return (noise * np.linspace(0.2, 1, samples)).astype(np.float32)


def of_library(encoder: HFAudio, windows: list[np.ndarray]) -> np.ndarray:
    """The library's own vectors of windows, through its automatic classes."""
    hf = library()
    extractor = hf.AutoFeatureExtractor.from_pretrained(encoder.folder)
    network = hf.AutoModel.from_pretrained(encoder.folder).eval()
    speech = encoder.kind in ("wav2vec2", "hubert")
    padding = {"padding": "max_length", "max_length": encoder.window} if speech else {}
    vectors = []
    for window in windows:
        inputs = extractor(window, sampling_rate=encoder.rate, return_tensors="pt", **padding)
        if encoder.kind == "clap":
            inputs["is_longer"] = torch.zeros(1, 1, dtype=torch.bool)  # not one by chance
            vectors.append(network.get_audio_features(**inputs).pooler_output[0])
        elif speech:
            frames = int(network._get_feat_extract_output_lengths(torch.tensor(window.size)))
            vectors.append(network(**inputs).last_hidden_state[0, :frames].mean(dim=0))
        else:
            vectors.append(network(**inputs).pooler_output[0])
    return torch.stack(vectors).numpy()


@torch.no_grad()
def test_each_window_has_the_vector_that_the_library_gives(encoder: HFAudio, run: Run) -> None:
    waveform = sound(2 * encoder.window + encoder.window // 3)
    [features] = run([encoder.prepare(waveform)])
    assert features.shape == (3, encoder.dim)
    assert features.dtype == np.float32
    assert np.abs(features[0] - features[2]).max() > 1e-3 * np.abs(features).max()
    if encoder.kind == "clap":  # the library's is of length 1
        features /= np.linalg.norm(features, axis=1, keepdims=True)
    expected = of_library(encoder, cut(waveform, encoder.window))
    assert np.abs(features - expected).max() < 1e-5 * np.abs(expected).max()


def test_a_sound_has_the_same_bytes_alone_and_in_company(encoder: HFAudio, run: Run) -> None:
    sounds = [sound(encoder.window // 2, 1), sound(2 * encoder.window, 2), sound(5_000, 3)]
    together = run([encoder.prepare(s) for s in sounds])
    np.random.seed(1)  # CLAP's preprocessor draws from it
    for waveform, expected in reversed(list(zip(sounds, together, strict=True))):
        assert run([encoder.prepare(waveform)])[0].tobytes() == expected.tobytes()


def test_the_shortest_sounds_have_a_finite_vector(encoder: HFAudio, run: Run) -> None:
    for features in run([encoder.prepare(sound(n)) for n in (1, 399, 401)]):
        assert features.shape == (1, encoder.dim)
        assert np.isfinite(features).all()


def test_rates_and_windows_are_the_models(obtained: dict[str, HFAudio]) -> None:
    sizes = {name: (e.rate, e.window, e.dim) for name, e in obtained.items()}
    assert sizes["ast"] == (16_000, 10_240, 16)  # 64 frames, one every 10 ms
    assert sizes["clap"] == sizes["clap_fused"] == (16_000, 16_000, 12)
    assert sizes["wav2vec2"] == sizes["hubert"] == (16_000, 160_000, 16)


def test_padding_is_no_part_of_a_masked_mean(
    obtained: dict[str, HFAudio], runs: dict[HFAudio, Run]
) -> None:
    encoder = obtained["hubert"]
    prepared, run = encoder.prepare(sound(50_000)), runs[encoder]
    assert not prepared.values[0, 50_000:].any()
    [alone] = run([prepared])
    [counted] = run([Windows(prepared.values, (80_000,))])
    assert not np.allclose(alone, counted, rtol=1e-3)


def test_a_missing_gpu_is_named(
    obtained: dict[str, HFAudio], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HGFN_DEVICE", "cuda")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ValueError, match="torch finds no GPU here; unset HGFN_DEVICE"):
        obtained["ast"].load()


@pytest.mark.parametrize(
    ("samples", "lengths"),
    [(1, [1]), (100, [100]), (109, [100]), (110, [100, 10]), (250, [100, 100, 50])],
)
def test_a_rest_below_a_tenth_of_a_window_is_no_window(samples: int, lengths: list[int]) -> None:
    pieces = cut(np.arange(samples, dtype=np.float32), 100)
    assert [piece.size for piece in pieces] == lengths
    assert np.array_equal(np.concatenate(pieces), np.arange(sum(lengths)))


def test_identity_follows_the_weights_and_nothing_of_the_place(
    models: dict[str, Path], tmp_path: Path
) -> None:
    first = HFAudio.of(models["ast"], None)
    copy = HFAudio.of(Path(shutil.copytree(models["ast"], tmp_path / "copy")), None)
    assert first.identity() == copy.identity()
    (tmp_path / "copy" / "preprocessor_config.json").write_text(
        (models["ast"] / "preprocessor_config.json").read_text().replace("-4.26", "-4.27")
    )
    assert first.identity() != copy.identity()


def test_another_kind_of_model_is_refused(models: dict[str, Path], tmp_path: Path) -> None:
    folder = Path(shutil.copytree(models["ast"], tmp_path / "model"))
    values = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(values | {"model_type": "bert"}))
    with pytest.raises(ValueError, match="'bert' is no audio encoder; allowed: audio-spectrogram"):
        HFAudio.of(folder, None)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"sampling_rate": 10**9}, "sampling_rate: Input should be less"),
        ({"max_length": 10**9}, "max_length: Input should be less"),
        ({"feature_extractor_type": "Mine"}, "feature_extractor_type is 'Mine', expected AST"),
        ({"num_mel_bins": 40}, "out: RuntimeError: The size of tensor"),
    ],
)
def test_a_hostile_preprocessor_is_refused(
    models: dict[str, Path], tmp_path: Path, values: dict[str, Any], message: str
) -> None:
    folder = Path(shutil.copytree(models["ast"], tmp_path / "model"))
    path = folder / "preprocessor_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | values))
    (tmp_path / "out").mkdir()
    with pytest.raises(ValueError, match=message):
        HFAudio.obtain(str(folder), "pretrained", tmp_path / "out")
