"""What transformers does to a sound before a network: preprocessor_config.json, within bounds."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from pipeline.extractors.hf_folder import library, one_line
from pipeline.inputs.json_files import check_json, read_json

OWN, JOINT = "preprocessor_config.json", "processor_config.json"


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


def read_preprocessor(folder: Path, name: str) -> Any:
    """Return transformers' feature extractor of class `name` with the folder's settings.

    Raises ValueError naming the file and the key.
    """
    path = folder / OWN
    if path.is_file():
        values = read_json(path, dict[str, Any])
    else:
        path = folder / JOINT
        joint = read_json(path, dict[str, Any]) if path.is_file() else {}
        values = joint.get("feature_extractor")
        if not isinstance(values, dict):
            raise ValueError(f"{folder}: no {OWN}; take the folder as the hub has it")
    stated = values.get("feature_extractor_type", name)
    if stated != name:
        raise ValueError(f"{path}: feature_extractor_type is {stated!r:.80}, expected {name}")
    check_json(path, values, _Bounds)
    with one_line(path), warnings.catch_warnings():
        # The published AST has a filter without a frequency.
        warnings.filterwarnings("ignore", message="At least one mel filter has all zero values")
        return getattr(library(), name).from_dict(values)
