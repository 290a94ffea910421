"""Faithfulness on a network that has learnt which step decides, and on one that has learnt nothing.

Occlusion and Shapley values measure the network that they are given: what they name first changes
the probability most in an untrained one too. What an untrained one cannot name is the step that
decides in the data, and its attention is no sign of what its probabilities rest on: both are tested
as what chance gives.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

import numpy as np
import pytest
import torch
from scipy.stats import spearmanr

from pipeline.explanation.network_weights import attention_weights
from pipeline.explanation.occlusion import Sample, step_drops
from pipeline.explanation.probabilities import in_double
from pipeline.explanation.shapley import coalition_probabilities, shapley_values
from pipeline.mtl import Task
from pipeline.training.examples import Examples
from pipeline.training.model import ModelSpec
from pipeline.training.predict import InDouble
from tests.explanation.deletion import area_over_curve, modality_areas, step_areas
from tests.training.conftest import make_spec, train_small

STEPS = 8
LEARNABLE = {"max_epochs": 6, "batch_size": 16, "learning_rate": 0.003}
TASKS = (Task("event", ("no", "yes"), negative="no"),)
ROWS = np.arange(350, 400)  # the test side


def planted() -> tuple[Examples, np.ndarray]:
    """Rows of eight words, and where the one word stands that makes a row an event.

    All words are vectors of equal length: before training none stands out. A second modality is
    noise alone.
    """
    rng = np.random.default_rng(0)
    count = 400
    place, event = rng.integers(0, STEPS, count), rng.integers(0, 2, count)
    vocabulary = rng.normal(size=(12, 6))
    vocabulary *= 3 / np.linalg.norm(vocabulary, axis=1, keepdims=True)
    words = rng.integers(1, 12, (count, STEPS))
    words[np.arange(count), place] *= 1 - event  # word 0
    text = vocabulary[words].astype(np.float32)
    audio = rng.normal(size=(count, 3, 2)).astype(np.float32)
    sides = np.repeat(["train", "val", "test"], [300, 50, 50])
    targets = {"event": event.astype(np.int64)}
    names = [f"r{row:03d}" for row in range(count)]
    return Examples(names, sides, {"text": list(text), "audio": list(audio)}, targets), place


def spec_for(data: Examples) -> ModelSpec:
    return make_spec(data.dims, TASKS, fusion="hgfn", encoder="bigru")


@pytest.fixture(scope="module")
def data() -> Examples:
    return planted()[0]


@pytest.fixture(scope="module")
def place() -> np.ndarray:
    return planted()[1]


@pytest.fixture(scope="module")
def trained(data: Examples) -> list[InDouble]:
    torch.set_num_threads(1)
    torch.manual_seed(0)
    network = train_small(data, TASKS, fusion="hgfn", encoder="bigru", **LEARNABLE)[0]
    return in_double([network])


def events(members: list[InDouble], data: Examples) -> Iterator[tuple[int, Sample]]:
    """The events of the test side, each with its class "yes" explained."""
    for row in ROWS[data.targets["event"][ROWS] == 1]:
        features = {name: arrays[row] for name, arrays in data.sequences.items()}
        yield row, Sample(members, TASKS, features, {"event": 1})


def attention(members: list[InDouble], data: Examples) -> np.ndarray:
    """The attention [test rows, steps] on the text."""
    table = attention_weights(members, spec_for(data), data, ROWS)
    return table[table["modality"] == "text"]["weight"].to_numpy().reshape(-1, STEPS)


def findings(
    members: list[InDouble], data: Examples, place: np.ndarray, rows: int | None = None
) -> tuple[float, float]:
    """Means over the events: the share of other steps that occlusion ranks below the one that
    decides, and the rank correlation of attention and occlusion.
    """
    weights, ranks, agreement = attention(members, data), [], []
    for row, sample in islice(events(members, data), rows):
        drops = step_drops(sample, "text")["event"]
        ranks.append((drops < drops[place[row]]).sum() / (STEPS - 1))
        agreement.append(spearmanr(weights[row - ROWS[0]], drops).statistic)
    return float(np.mean(ranks)), float(np.mean(agreement))


def test_the_area_is_the_mean_fall() -> None:
    # nothing deleted .9, then .5, then .1: (0 + .4 + .8) / 3
    assert area_over_curve(np.array([[0.9, 0.5, 0.1]])) == pytest.approx(0.4)
    assert area_over_curve(np.full((2, 5), 0.3)).tolist() == [0, 0]


def test_modality_areas_computed_by_hand() -> None:
    # nothing .2, audio .3, text .6, both .9: text first falls by (0 + .6 + .7) / 3
    values, shares = np.array([[0.2, 0.3, 0.6, 0.9]]), np.array([[0.2, 0.5]])
    own, every = modality_areas(values, shares)
    np.testing.assert_allclose(own, [1.3 / 3])
    np.testing.assert_allclose(every, [(1.3 / 3 + 1.0 / 3) / 2])


def test_deleting_the_steps_named_by_occlusion_lowers_the_probability_faster_than_at_random(
    trained: list[InDouble], data: Examples
) -> None:
    gains = []
    for _, sample in events(trained, data):
        areas = step_areas(sample, "text", step_drops(sample, "text"), draws=5)["event"]
        gains.append(areas.ordered - areas.random)
    assert np.mean(np.array(gains) > 0) > 0.9
    assert np.mean(gains) > 0.1


def test_deleting_the_steps_with_the_most_attention_is_faster_than_at_random_too(
    trained: list[InDouble], data: Examples
) -> None:
    weights, gains = attention(trained, data), []
    for row, sample in events(trained, data):
        areas = step_areas(sample, "text", {"event": weights[row - ROWS[0]]}, draws=5)["event"]
        gains.append(areas.ordered - areas.random)
    assert np.mean(np.array(gains) > 0) > 0.8


def test_a_trained_network_names_the_step_that_decides_and_its_attention_agrees(
    trained: list[InDouble], data: Examples, place: np.ndarray
) -> None:
    rank, agreement = findings(trained, data, place)
    assert rank > 0.95
    assert agreement > 0.1


def test_untrained_networks_name_it_as_often_as_chance_and_their_attention_says_nothing(
    data: Examples, place: np.ndarray
) -> None:
    torch.manual_seed(1)
    networks = [in_double([spec_for(data).build_network()]) for _ in range(32)]
    found = np.array([findings(members, data, place, rows=4) for members in networks])
    # Rows of one network are not independent: a network is one observation.
    mean, error = found.mean(axis=0), found.std(axis=0, ddof=1) / np.sqrt(len(found))
    assert (error < 0.06).all()  # or else the intervals would contain anything
    assert (abs(mean - [0.5, 0]) < 2 * error).all()


def test_deleting_modalities_by_their_shapley_values_is_faster_than_in_any_order(
    trained: list[InDouble], data: Examples
) -> None:
    rows = ROWS[data.targets["event"][ROWS] == 1]
    values = coalition_probabilities(trained, spec_for(data), data, rows)["event"][..., 1:]
    own, every = modality_areas(values[..., 0], shapley_values(values)[..., 0])
    assert (own > every).all()
    assert (own - every).mean() > 0.05
