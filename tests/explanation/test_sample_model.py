"""Faithfulness on the model that `dvc repro` trains on the committed tweets."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from pipeline.explanation.occlusion import Sample, step_drops
from pipeline.explanation.probabilities import in_double
from pipeline.explanation.shapley import coalition_probabilities, shapley_values
from pipeline.inputs.parquet import read_table
from pipeline.training.examples import Examples, load_examples
from pipeline.training.model import CONFIG, ModelSpec, load_model
from pipeline.training.predict import InDouble
from tests.explanation.deletion import modality_areas, step_areas

ROOT = Path(__file__).resolve().parents[2]
DATA, MODEL = ROOT / "data/crisismmd", ROOT / "models/crisismmd"
TWEETS = 15

Gain = Callable[[list[InDouble], ModelSpec, Examples], np.ndarray]

pytestmark = pytest.mark.skipif(
    not (MODEL / CONFIG).is_file(), reason="no model of the sample: `dvc repro` trains it"
)


@pytest.fixture(scope="module")
def trained() -> tuple[nn.ModuleList, ModelSpec]:
    return load_model(MODEL)


@pytest.fixture(scope="module")
def untrained(trained: tuple[nn.ModuleList, ModelSpec]) -> nn.ModuleList:
    """The same networks without what they learnt, on features standardised alike."""
    networks, spec = trained
    torch.manual_seed(0)
    fresh = spec.build()
    scales = {k: v for k, v in networks.state_dict().items() if "standardise" in k}
    fresh.load_state_dict(scales, strict=False)
    return fresh


@pytest.fixture(scope="module")
def data(trained: tuple[nn.ModuleList, ModelSpec]) -> Examples:
    features = {name: DATA / "features" / f"{name}.h5" for name in trained[1].modalities}
    return load_examples(read_table(DATA / "index.parquet"), trained[1].tasks, features, False)


def words_gain(members: list[InDouble], spec: ModelSpec, data: Examples) -> np.ndarray:
    """By how much the area in the order of occlusion exceeds that at random, of each tweet."""
    gains = []
    for row in data.rows("test")[:TWEETS]:
        features = {name: arrays[row] for name, arrays in data.sequences.items()}
        sample = Sample.of(members, spec, features)
        areas = step_areas(sample, "text", step_drops(sample, "text"), draws=5).values()
        gains.append(np.mean([area.ordered - area.random for area in areas]))
    return np.array(gains)


def modality_gain(members: list[InDouble], spec: ModelSpec, data: Examples) -> np.ndarray:
    """The same for modalities in the order of their Shapley values, of every test tweet."""
    values = coalition_probabilities(members, spec, data, data.rows("test"))
    gains = []
    for p in values.values():
        game = np.take_along_axis(p, p[:, -1:].argmax(axis=2)[..., None], axis=2)[..., 0]
        own, every = modality_areas(game, shapley_values(game))
        gains.append(own - every)
    return np.mean(gains, axis=0)


@pytest.mark.parametrize("gain", [words_gain, modality_gain])
def test_deleting_what_is_named_important_is_faster_than_at_random_and_hardly_so_when_untrained(
    trained: tuple[nn.ModuleList, ModelSpec],
    untrained: nn.ModuleList,
    data: Examples,
    gain: Gain,
) -> None:
    networks, spec = trained
    learnt = gain(in_double(networks), spec, data)
    by_chance = gain(in_double(untrained), spec, data)
    assert (learnt > 0).mean() > 0.8
    assert learnt.mean() > 3 * by_chance.mean()
