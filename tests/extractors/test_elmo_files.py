from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from pipeline.extractors import ELMo
from pipeline.extractors.elmo_files import (
    Options,
    check_model,
    published_options,
    read_options,
)

Change = dict[str, Any]


def write(path: Path, **changes: Change) -> Path:
    """The small model's options, with keys changed (to `...`: left out) by section."""
    options = published_options("small")
    for section, keys in changes.items():
        options[section] |= keys
        options[section] = {k: v for k, v in options[section].items() if v is not ...}
    path.write_text(json.dumps(options))
    return path


@pytest.mark.parametrize("model", ["small", "medium", "original", "original_5.5b"])
def test_the_published_options_are_read_as_they_are(tmp_path: Path, model: str) -> None:
    options = published_options(model)
    (tmp_path / "options.json").write_text(json.dumps(options))
    assert read_options(tmp_path / "options.json") == Options.model_validate(options)


def test_keys_of_training_are_ignored(tmp_path: Path) -> None:
    path = write(tmp_path / "options.json", lstm={"dropout": 0.1}, char_cnn={"n_tokens": 9})
    assert read_options(path).lstm.dim == 1024


def test_a_clip_that_is_null_is_none(weights: Path, tmp_path: Path) -> None:
    path = write(tmp_path / "options.json", lstm={"cell_clip": None, "proj_clip": None})
    assert read_options(path).lstm.cell_clip is None
    (free,) = ELMo.from_files(path, weights / "weights.hdf5").embed([["Flood", "in", "Houston"]])
    wide = write(tmp_path / "wide.json", lstm={"cell_clip": 1e9, "proj_clip": 1e9})
    (other,) = ELMo.from_files(wide, weights / "weights.hdf5").embed([["Flood", "in", "Houston"]])
    assert free.tobytes() == other.tobytes()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"lstm": {"dim": ...}}, "lstm.dim: Field required"),
        ({"lstm": {"proj_clip": ...}}, "lstm.proj_clip: Field required"),
        ({"lstm": {"dim": "1024"}}, "lstm.dim: Input should be a valid integer"),
        ({"lstm": {"dim": 1 << 40}}, "lstm.dim: Input should be less than or equal to 65536"),
        ({"lstm": {"cell_clip": -3}}, "lstm.cell_clip: Input should be greater than 0"),
        ({"lstm": {"use_skip_connections": False}}, "lstm.use_skip_connections: Input should be"),
        ({"char_cnn": {"n_characters": 261}}, "char_cnn.n_characters: Input should be 262"),
        ({"char_cnn": {"activation": "tanh"}}, "char_cnn.activation: Input should be 'relu'"),
        ({"char_cnn": {"filters": [[1]]}}, "char_cnn.filters.0.1: Field required"),
    ],
)
def test_an_option_that_is_wrong_is_named(
    tmp_path: Path, changes: dict[str, Change], message: str
) -> None:
    path = write(tmp_path / "options.json", **changes)
    with pytest.raises(ValueError, match="options") as caught:
        read_options(path)
    assert str(caught.value).startswith(f"{path}: {message}")


@pytest.mark.parametrize("text", ["", "[]", "nonsense", '{"a":' * 50_000, "\xff"])
def test_other_content_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "options.json").write_bytes(text.encode("latin-1"))
    with pytest.raises(ValueError, match=r"options\.json.* options"):
        read_options(tmp_path / "options.json")


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
