"""A model file of any format with bytes changed or cut off: one line that begins with its name."""

from __future__ import annotations

import io
import pickle
import random
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save

from pipeline.extractors import ELMo
from pipeline.extractors.soundnet_files import read_soundnet
from tests.attacks.model_files import convolution, npy, storage, tensor, tiny_elmo

pytestmark = pytest.mark.usefixtures("bounded")


def small_state() -> dict[str, torch.Tensor]:
    return {"conv1.weight": torch.ones(4, 1, 3), "conv1.bias": torch.ones(4)}


def small_port() -> bytes:
    layers = {"conv1": {"weights": np.ones((3, 1, 1, 4), np.float32), "biases": np.ones(4)}}
    whole = np.empty((), object)
    whole[()] = layers
    return npy(pickle.dumps(whole, 2))


def small_pth(**options: object) -> bytes:
    buffer = io.BytesIO()
    torch.save(small_state(), buffer, **options)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("suffix", "content"),
    [
        (".t7", lambda: convolution(tensor(3, 4, 1, 1, over=storage(4, 4, bytes(16))))),
        (".npy", small_port),
        (".pth", small_pth),
        (".pt", lambda: small_pth(_use_new_zipfile_serialization=False)),
        (".safetensors", lambda: save(small_state())),
        (".hdf5", None),
    ],
)
def test_any_damage_ends_in_one_line(
    tmp_path: Path, suffix: str, content: Callable[[], bytes] | None
) -> None:
    options, path = tiny_elmo(tmp_path)
    load: Callable[[], object] = lambda: ELMo.from_files(options, path)  # noqa: E731
    if content is not None:
        path = tmp_path / f"small{suffix}"
        path.write_bytes(content())
        load = lambda: read_soundnet(path)  # noqa: E731
    load()
    whole, chance = path.read_bytes(), random.Random(0)
    messages: list[str] = []
    for _ in range(150):
        damaged = bytearray(whole)
        for _ in range(chance.choice((1, 3))):
            damaged[chance.randrange(len(whole))] = chance.choice((0, 255, chance.randrange(256)))
        path.write_bytes(damaged[: chance.choice((len(whole), chance.randrange(len(whole))))])
        try:
            load()
        except ValueError as error:
            messages.append(str(error))
    assert len(messages) > 50
    assert not [line for line in messages if "\n" in line or not line.startswith(str(path))]
