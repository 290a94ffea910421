"""Shapley values: the laws that define them, and what a network's modalities are worth."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st

from pipeline.explanation.probabilities import in_double
from pipeline.explanation.shapley import coalition_probabilities, modality_shapley, shapley_values
from pipeline.training.predict import predict
from tests.training.conftest import examples, make_spec, train_small


@st.composite
def games(draw: st.DrawFn) -> np.ndarray:
    """Values [rows, 2^players, 1] of up to four players."""
    players, rows = draw(st.integers(1, 4)), draw(st.integers(1, 3))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    return rng.normal(size=(rows, 2**players, 1))


def test_values_of_two_modalities_computed_by_hand() -> None:
    # nothing .2, audio .3, text .6, both .9: audio ((.3 - .2) + (.9 - .6)) / 2, text likewise
    values = np.array([[[0.2], [0.3], [0.6], [0.9]]])
    np.testing.assert_allclose(shapley_values(values), [[[0.2], [0.5]]])


def test_values_of_three_modalities_computed_by_hand() -> None:
    # The last player alone decides nothing, but either of the others with it: v = 1.
    values = np.array([[[0.0], [0.0], [0.0], [0.0], [0.0], [1.0], [1.0], [1.0]]])
    np.testing.assert_allclose(shapley_values(values), [[[1 / 6], [1 / 6], [2 / 3]]])


@given(games())
def test_values_add_up_to_everything_minus_nothing(game: np.ndarray) -> None:
    total = shapley_values(game).sum(axis=1)
    np.testing.assert_allclose(total, game[:, -1] - game[:, 0], atol=1e-12)


@given(games(), st.integers(0, 3))
def test_a_player_that_changes_no_set_has_value_0(game: np.ndarray, player: int) -> None:
    sets = np.arange(game.shape[1])
    player %= len(sets).bit_length() - 1
    dummy = game[:, sets & ~(1 << player)]
    assert not shapley_values(dummy)[:, player].any()


@given(games())
def test_players_that_change_places_change_values(game: np.ndarray) -> None:
    sets = np.arange(game.shape[1])
    assume(len(sets) > 2)
    swapped = game[:, sets & ~3 | (sets & 1) << 1 | (sets & 2) >> 1]
    first, second = shapley_values(game), shapley_values(swapped)
    np.testing.assert_allclose(first[:, [1, 0, *range(2, first.shape[1])]], second, atol=1e-12)


@given(games(), st.floats(-3, 3))
def test_values_are_linear_in_the_game(game: np.ndarray, factor: float) -> None:
    other = game[::-1] ** 2
    together = shapley_values(game + factor * other)
    apart = shapley_values(game) + factor * shapley_values(other)
    np.testing.assert_allclose(together, apart, atol=1e-9)


def test_a_number_of_sets_that_is_no_power_of_2_is_refused() -> None:
    with pytest.raises(ValueError, match="3 sets of players; expected a power of 2"):
        shapley_values(np.zeros((1, 3, 1)))


@pytest.mark.parametrize("encoder", ["pooled", "bigru"])
@pytest.mark.parametrize("fusion", ["hgfn", "gfn", "matf", "cfc", "dmf"])
def test_a_networks_values_add_up_to_its_probabilities_minus_those_of_nothing(
    fusion: str, encoder: str
) -> None:
    data = examples(300, longest=1 if encoder == "pooled" else 4)
    spec = make_spec(data.dims, fusion=fusion, encoder=encoder, members=2)
    networks, rows = spec.build(), np.arange(300)
    nothing = {name: [x[:0] for x in arrays] for name, arrays in data.sequences.items()}
    empty = predict(networks, replace(data, sequences=nothing), spec.tasks, rows)
    full = predict(networks, data, spec.tasks, rows)
    shares = modality_shapley(in_double(networks), spec, data, rows)
    for task in spec.tasks:
        values = shares[task.name]
        assert values.shape == (300, 2, len(task.classes))
        expected = full[task.name] - empty[task.name]
        np.testing.assert_allclose(values.sum(axis=1), expected, atol=1e-6)
        np.testing.assert_allclose(values.sum(axis=2), 0, atol=1e-12)  # over the classes


def test_a_modality_that_a_row_lacks_has_value_0() -> None:
    data = examples(longest=4)
    spec = make_spec(data.dims, fusion="hgfn", encoder="bigru")
    values = modality_shapley(in_double(spec.build()), spec, data, np.arange(14))["kind"]
    for place, name in enumerate(["text", "visual"]):
        present = data.present(name)[:14]
        assert not present.all()
        assert (values[~present, place] == 0).all()
        assert (values[present, place] != 0).any(axis=1).all()


def test_each_set_of_modalities_is_the_prediction_of_a_row_that_has_no_other() -> None:
    data, rows = examples(longest=4), np.arange(6)
    spec = make_spec(data.dims, fusion="hgfn", encoder="bigru", mtl="mtinet")
    networks = spec.build()
    values = coalition_probabilities(in_double(networks), spec, data, rows)
    for coalition, missing in ((1, "visual"), (2, "text")):
        arrays = {**data.sequences, missing: [x[:0] for x in data.sequences[missing]]}
        alone = predict(networks, replace(data, sequences=arrays), spec.tasks, rows)
        for task in spec.tasks:
            np.testing.assert_allclose(values[task.name][:, coalition], alone[task.name], atol=1e-6)


def test_the_networks_themselves_keep_their_precision_and_mode() -> None:
    networks = make_spec(examples().dims).build().train()
    in_double(networks)
    assert networks[0].training
    assert {p.dtype for p in networks.parameters()} == {torch.float32}


def test_a_trained_networks_classes_come_from_the_modality_that_decides_them() -> None:
    data = examples(rows=120)  # only `visual` tells the victims
    both = data.present("visual") & data.present("text")
    network, _, _ = train_small(data, max_epochs=30)
    members, rows = in_double([network]), np.flatnonzero(both & (data.targets["victim"] == 1))
    text, visual = modality_shapley(members, make_spec(data.dims), data, rows)["victim"][..., 1].T
    assert visual.mean() > 0.2 > 5 * abs(text.mean())
