"""Audio networks of transformers: AST, CLAP's audio tower, wav2vec 2 and HuBERT.

A waveform is cut into windows of constant length, each of which the network turns into one vector.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from jaxtyping import Float32
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn

from pipeline import runtime
from pipeline.extractors.device import exact_convolutions
from pipeline.extractors.encoder import Identity, Origin, Run, identity_of
from pipeline.extractors.hf_folder import (
    fill_folder,
    library,
    one_line,
    read_config,
    read_preprocessor,
)
from pipeline.extractors.hf_tower import load_tower, tower_config
from pipeline.inputs.json_files import check_json

SPEECH_SECONDS = 10  # of a window of wav2vec 2 and HuBERT, which take any length
# A remainder shorter than this share of a window is left out, unless it is the whole sound.
SHORTEST_REST = 0.1
FRAME = 400  # samples: the shortest sound of which AST's filters make a frame


@dataclass(frozen=True)
class Windows:
    """Inputs of the network, and how many samples of each are sound, not padding."""

    values: Float32[np.ndarray, "windows ..."]
    samples: tuple[int, ...]


@dataclass(frozen=True)
class Family:
    """What differs: the class that prepares sound, a window's samples, one input, one vector.

    `prepare` turns up to a window of sound into one input, padded as the model's authors do, with
    the call `extract` of that class; `vector` is the network's output for one input [1, ...] and
    its number of samples that are sound; `dim` names the setting with its width.
    """

    extractor: str
    window: Callable[[Any], int]
    prepare: Callable[[Any, np.ndarray, int], Any]
    vector: Callable[[Any, Tensor, int], Any]
    architecture: str | None = None
    dim: str = "hidden_size"


def _prepare_ast(extract: Any, sound: np.ndarray, _: int) -> Any:
    sound = np.pad(sound, (0, max(FRAME - sound.size, 0)))
    return extract(sound)["input_values"][0]


def _prepare_clap(extract: Any, sound: np.ndarray, _: int) -> Any:
    # Models with feature fusion get the same spectrogram four times if the sound is not cut.
    return extract(sound)["input_features"][0][:1]


def _prepare_speech(extract: Any, sound: np.ndarray, window: int) -> Any:
    return extract(sound, padding="max_length", max_length=window)["input_values"][0]


def _clap_vector(network: Any, x: Tensor, _: int) -> Any:
    # By default the library marks a random window of each batch as longer.
    longer = torch.zeros(1, 1, dtype=torch.bool, device=x.device)
    channels = 4 if network.config.enable_fusion else 1
    inputs = x.expand(-1, channels, -1, -1)
    return network(input_features=inputs, is_longer=longer).audio_embeds[0]


def _speech_vector(network: Any, x: Tensor, samples: int) -> Any:
    """Return the mean of the frames of sound; those of padding are left out."""
    mask = None
    if network.config.feat_extract_norm == "layer":  # the others were trained without a mask
        mask = (torch.arange(x.shape[1], device=x.device) < samples).long()[None]
    states = network(input_values=x, attention_mask=mask).last_hidden_state[0]
    frames = int(network._get_feat_extract_output_lengths(torch.tensor(samples)))
    return states[: max(frames, 1)].mean(dim=0)


_SPEECH = Family(
    "Wav2Vec2FeatureExtractor",
    window=lambda extractor: SPEECH_SECONDS * extractor.sampling_rate,
    prepare=_prepare_speech,
    vector=_speech_vector,
)

FAMILIES = {
    "audio-spectrogram-transformer": Family(
        "ASTFeatureExtractor",
        # A frame of the spectrogram every 10 ms: 1,024 are 10.24 s.
        window=lambda extractor: extractor.max_length * extractor.sampling_rate // 100,
        prepare=_prepare_ast,
        vector=lambda network, x, _: network(input_values=x).pooler_output[0],
    ),
    "clap": Family(
        "ClapFeatureExtractor",
        window=lambda extractor: extractor.nb_max_samples,
        prepare=_prepare_clap,
        vector=_clap_vector,
        architecture="ClapAudioModelWithProjection",
        dim="projection_dim",
    ),
    "wav2vec2": _SPEECH,
    "hubert": _SPEECH,
}


@dataclass(frozen=True)
class HFAudio:
    """A folder of transformers: features [windows, dim]. `window` is in samples."""

    folder: Path
    kind: str
    rate: int
    window: int
    dim: int

    version: ClassVar[str] = "1"
    batch: ClassVar[int] = 1
    gpu: ClassVar[bool] = True

    @classmethod
    def obtain(cls, source: str, weights: str, folder: Path) -> Origin:
        """See Encoder."""
        origin = fill_folder(f"hf:{source}", weights, folder)
        encoder = cls.of(folder, None)
        run = encoder.load()
        with one_line(folder):
            # Files that do not fit together are refused here, not in the extraction.
            run([encoder.prepare(np.zeros(encoder.rate, np.float32))])
        return origin

    @classmethod
    def of(cls, folder: Path, params: Any) -> HFAudio:
        """See Encoder; features.audio has no setting for it. Raises ValueError for other models."""
        config = read_config(folder)
        kind = config.model_type
        if kind not in FAMILIES:
            raise ValueError(
                f"{folder}: model_type {kind!r} is no audio encoder; allowed: {', '.join(FAMILIES)}"
            )
        extractor, family = _extractor(folder, kind), FAMILIES[kind]
        dim = getattr(tower_config(config, "audio_config"), family.dim)
        return cls(folder, kind, extractor.sampling_rate, family.window(extractor), dim)

    def identity(self) -> Identity:
        """See Encoder."""
        # AST's spectrogram is torchaudio's where that is installed.
        spectrogram = "torchaudio" if _has_torchaudio() else "numpy"
        return identity_of(self, "hf", window=self.window, spectrogram=spectrogram)

    def prepare(self, raw: Float32[np.ndarray, " samples"]) -> Windows:
        """See Encoder."""
        pieces = cut(raw, self.window)
        extractor, prepare = _extractor(self.folder, self.kind), FAMILIES[self.kind].prepare
        extract = partial(extractor, sampling_rate=self.rate, return_tensors="np")
        inputs = [prepare(extract, piece, self.window) for piece in pieces]
        return Windows(np.stack(inputs).astype(np.float32), tuple(map(len, pieces)))

    def load(self) -> Run:
        """See Encoder."""
        family, device = FAMILIES[self.kind], runtime.device()
        config = tower_config(read_config(self.folder), "audio_config")
        network = load_tower(self.folder, config, family.architecture, device=device).network
        return lambda inputs: [_vectors(family, network, windows, device) for windows in inputs]


def cut(waveform: Float32[np.ndarray, " samples"], window: int) -> list[np.ndarray]:
    """Cut a waveform into windows; the last may be shorter (see SHORTEST_REST)."""
    whole, rest = divmod(waveform.size, window)
    count = whole + (rest >= SHORTEST_REST * window or not whole)
    return [waveform[k * window : (k + 1) * window] for k in range(count)]


@torch.inference_mode()
def _vectors(
    family: Family, network: nn.Module, windows: Windows, device: str
) -> Float32[np.ndarray, "windows dim"]:
    # One window a call: the shape never changes, so neither does the order of sums.
    with exact_convolutions():
        vectors = [
            family.vector(network, torch.from_numpy(values[None]).to(device), samples)
            for values, samples in zip(windows.values, windows.samples, strict=True)
        ]
    return torch.stack(vectors).float().cpu().numpy()


class _Bounds(BaseModel):
    """Sizes that decide how much memory a spectrogram takes; other keys are the class's."""

    model_config = ConfigDict(extra="allow", allow_inf_nan=False)

    sampling_rate: int = Field(default=16_000, ge=1_000, le=192_000)
    feature_size: int = Field(default=1, ge=1, le=1_024)
    num_mel_bins: int = Field(default=1, ge=1, le=1_024)
    max_length: int = Field(default=1, ge=1, le=16_384)  # frames
    max_length_s: int = Field(default=1, ge=1, le=120)
    hop_length: int = Field(default=1, ge=1, le=16_384)
    fft_window_size: int = Field(default=1, ge=2, le=65_536)


@lru_cache(maxsize=2)
def _extractor(folder: Path, kind: str) -> Any:
    """Return the object of transformers that prepares sound, with the folder's settings.

    Raises ValueError naming the file and the key.
    """
    path, values = read_preprocessor(folder, "feature_extractor")
    name = FAMILIES[kind].extractor
    stated = values.get("feature_extractor_type", name)
    if stated != name:
        raise ValueError(f"{path}: feature_extractor_type is {stated!r:.80}, expected {name}")
    check_json(path, values, _Bounds)
    with one_line(path), warnings.catch_warnings():
        # The published AST has a filter without a frequency.
        warnings.filterwarnings("ignore", message="At least one mel filter has all zero values")
        return getattr(library(), name).from_dict(values)


def _has_torchaudio() -> bool:
    library()
    from transformers.utils import is_speech_available

    return bool(is_speech_available())
