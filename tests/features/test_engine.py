from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from pipeline.features import engine as module
from pipeline.features.cache import ItemCache
from pipeline.features.engine import run_engine
from pipeline.features.recipe import Item

Fake = Callable[..., Any]


@pytest.mark.parametrize(
    ("value", "device", "gpu", "expected"),
    [
        ("", "", True, "run_local"),
        ("local", "cuda", True, "run_fed"),
        ("local", "cuda", False, "run_local"),  # its network stays on the CPU
        ("ray", "cuda", True, "run_ray"),
    ],
)
def test_the_environment_chooses_the_engine(
    fake: Fake,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    value: str,
    device: str,
    gpu: bool,
    expected: str,
) -> None:
    def engine(name: str) -> Callable[..., Iterator[str]]:
        return lambda *arguments, **counts: iter([name, *counts.values()])

    monkeypatch.setenv("HGFN_ENGINE", value)
    monkeypatch.setenv("HGFN_DEVICE", device)
    for name in ("run_local", "run_fed", "run_ray"):
        monkeypatch.setattr(module, name, engine(name))
    monkeypatch.setattr(module, "gpus", lambda: 2)
    recipe = fake()
    monkeypatch.setattr(type(recipe), "gpu", gpu)
    told = list(run_engine(recipe, {"key": Item("a", text="a")}, ItemCache(tmp_path), 9))
    # A GPU holds one network, however many workers there are.
    assert told == ([expected, 9, 2] if expected == "run_fed" else [expected])


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")
def test_without_a_gpu_cuda_is_refused_unless_all_is_there_already(
    fake: Fake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HGFN_DEVICE", "cuda")
    assert list(run_engine(fake(), {}, ItemCache(tmp_path), 1)) == []
    with pytest.raises(ValueError, match="finds no GPU here; unset HGFN_DEVICE"):
        run_engine(fake(), {"key": Item("a", text="a")}, ItemCache(tmp_path), 1)


def test_an_unknown_engine_is_refused(
    fake: Fake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HGFN_ENGINE", "dask")
    with pytest.raises(ValueError, match="HGFN_ENGINE is 'dask'; allowed: local, ray"):
        list(run_engine(fake(), {}, ItemCache(tmp_path), 1))
