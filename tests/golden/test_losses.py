"""The recorded pairs of fusion and method: 20 steps, compared digit by digit."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from types import ModuleType

import pytest


def load() -> ModuleType:
    path = Path(__file__).with_name("losses.py")
    spec = importlib.util.spec_from_file_location("golden_losses", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


golden = load()
recorded = json.loads(golden.FILE.read_text())


def test_every_pair_is_recorded_and_no_other() -> None:
    assert set(recorded["losses"]) == {f"{fusion} {mtl}" for fusion, mtl in golden.PAIRS}


@pytest.mark.parametrize(("fusion", "mtl"), golden.PAIRS)
def test_twenty_steps_give_the_recorded_losses(fusion: str, mtl: str) -> None:
    expected = recorded["losses"][f"{fusion} {mtl}"]
    losses = golden.run(fusion, mtl)
    assert len(losses) == golden.STEPS + len(golden.TASKS)
    if golden.environment() == recorded["environment"]:
        assert losses == expected
    else:
        assert losses == pytest.approx(expected, rel=1e-6, abs=1e-6)


def test_no_two_pairs_learn_the_same() -> None:
    """Two methods that turn out identical would show as two equal rows."""
    rows = [tuple(values) for values in recorded["losses"].values()]
    assert len(set(rows)) == len(rows)


def test_the_batches_have_what_makes_training_hard() -> None:
    data = golden.batches()
    assert [len(targets["kind"]) for _, _, targets in data] == [32, 32, 32, 32, 12]
    for _, lengths, targets in data:
        assert (lengths["audio"] == 0).any()
        assert (targets["kind"] == -1).any()
    assert (data[2][2]["damage"] == -1).all()
    assert (data[0][2]["damage"] >= 0).any()
