"""The untrained networks at full size, written and loaded once."""

from __future__ import annotations

import sys
import wave
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from pipeline.extractors import ELMo, InceptionV3, SoundNet
from pipeline.extractors.untrained import write_elmo, write_inception, write_soundnet

# Tests import what lies beside them, as `torch7_writer`: pytest's own way adds no folder.
sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Equal bytes are promised for one thread, as in a worker."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def bare_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty project, entered, on a machine that has no file of a network."""
    (tmp_path / "project").mkdir()
    monkeypatch.chdir(tmp_path / "project")
    monkeypatch.setenv("HGFN_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("HGFN_WEIGHTS", raising=False)
    return tmp_path / "project"


@pytest.fixture(scope="session")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("weights")
    write_inception(folder / "inception.safetensors")
    write_soundnet(folder / "soundnet.safetensors")
    write_elmo(folder / "options.json", folder / "weights.hdf5", model="small")
    return folder


@pytest.fixture(scope="session")
def inception(weights: Path) -> InceptionV3:
    return InceptionV3.from_file(weights / "inception.safetensors")


@pytest.fixture(scope="session")
def elmo(weights: Path) -> ELMo:
    return ELMo.from_files(weights / "options.json", weights / "weights.hdf5")


@pytest.fixture(scope="session")
def soundnet(weights: Path) -> SoundNet:
    return SoundNet.from_file(weights / "soundnet.safetensors")


@pytest.fixture
def recording(shared_data: Path) -> np.ndarray:
    """The sound with which the TensorFlow port recorded the extrema of its layers."""
    with wave.open(str(shared_data / "soundnet" / "example.wav")) as file:
        stereo = np.frombuffer(file.readframes(file.getnframes()), np.int16).reshape(-1, 2)
    return np.tile(stereo[:, 0].astype(np.float32) / 2**15, 3)
