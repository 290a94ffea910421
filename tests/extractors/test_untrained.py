from __future__ import annotations

import hashlib
import json
from pathlib import Path

import h5py
import numpy as np
import pytest
from safetensors.numpy import load_file
from torchvision.models import Inception3

from pipeline.extractors.untrained import normal, write_elmo, write_inception, write_soundnet

FILES = ("inception.safetensors", "soundnet.safetensors", "options.json", "weights.hdf5")


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_writing_again_gives_the_same_bytes(weights: Path, tmp_path: Path) -> None:
    write_elmo(tmp_path / "options.json", tmp_path / "weights.hdf5", model="small")
    write_soundnet(tmp_path / "soundnet.safetensors")
    write_inception(tmp_path / "inception.safetensors")
    for name in FILES:
        assert sha256(tmp_path / name) == sha256(weights / name), name


def test_inception_has_torchvisions_names_and_shapes(weights: Path) -> None:
    official = Inception3(init_weights=False).state_dict()
    written = load_file(weights / "inception.safetensors")
    assert {k: tuple(v.shape) for k, v in official.items()} == {
        k: v.shape for k, v in written.items()
    }


@pytest.mark.parametrize(
    ("model", "memory", "width", "highways"),
    [
        ("small", 1024, 128, 1),
        pytest.param("original", 4096, 512, 2, marks=pytest.mark.slow),
    ],
)
def test_elmo_has_the_official_layout(
    tmp_path: Path, model: str, memory: int, width: int, highways: int
) -> None:
    write_elmo(tmp_path / "options.json", tmp_path / "weights.hdf5", model=model)
    options = json.loads((tmp_path / "options.json").read_text())
    assert options["lstm"]["dim"] == memory
    assert options["lstm"]["projection_dim"] == width
    assert options["char_cnn"]["n_highway"] == highways
    assert sum(filters for _, filters in options["char_cnn"]["filters"]) == 2048
    with h5py.File(tmp_path / "weights.hdf5") as file:
        assert file["char_embed"].shape == (261, 16)
        assert file["CNN/W_cnn_6"].shape == (1, 7, 16, 1024)
        assert file["CNN_proj/W_proj"].shape == (2048, width)
        assert f"CNN_high_{highways - 1}/W_carry" in file
        assert f"CNN_high_{highways}" not in file
        for direction in (0, 1):
            for layer in (0, 1):
                cell = file[f"RNN_{direction}/RNN/MultiRNNCell/Cell{layer}/LSTMCell"]
                assert cell["W_0"].shape == (2 * width, 4 * memory)
                assert cell["B"].shape == (4 * memory,)
                assert cell["W_P_0"].shape == (memory, width)


def test_a_seeded_tensor_depends_on_its_name_alone() -> None:
    first = normal("a", (50, 40), 2.0)
    normal("b", (3,), 1.0)
    assert np.array_equal(normal("a", (50, 40), 2.0), first)
    assert not np.array_equal(normal("b", (50, 40), 2.0), first)
    assert first.std() == pytest.approx(2, rel=0.05)
    assert first.dtype == np.float32
    assert normal("a", (3,), 1.0) == pytest.approx([-0.02279537, -0.66411966, -1.83095992])
