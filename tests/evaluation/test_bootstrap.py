"""The cluster bootstrap: whole groups, paired rows, intervals that cover."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.evaluation.bootstrap import Estimate, draw, estimate
from pipeline.evaluation.scores import weighted_scores
from pipeline.mtl import Task

TASK = Task("flood", ("absent", "present"), negative="absent", head="sigmoid")


@given(sizes=st.lists(st.integers(1, 5), min_size=1, max_size=12), seed=st.integers(0, 1000))
def test_a_group_is_drawn_as_a_whole_and_as_many_groups_as_there_are(
    sizes: list[int], seed: int
) -> None:
    groups = [f"g{i}" for i, size in enumerate(sizes) for _ in range(size)]
    order = np.random.default_rng(seed).permutation(len(groups))
    shuffled = [groups[i] for i in order]
    drawn = draw(shuffled, 3, 20, seed)
    first = {name: shuffled.index(name) for name in set(shuffled)}
    for row, name in enumerate(shuffled):
        np.testing.assert_array_equal(drawn.rows[:, row], drawn.rows[:, first[name]])
    np.testing.assert_array_equal(drawn.rows[:, list(first.values())].sum(axis=1), len(sizes))
    np.testing.assert_array_equal(drawn.seeds.sum(axis=1), 3)


def test_resamples_are_the_same_for_the_same_seed_alone() -> None:
    groups = [str(i) for i in range(30)]
    one, same, other = draw(groups, 5, 50, 1), draw(groups, 5, 50, 1), draw(groups, 5, 50, 2)
    np.testing.assert_array_equal(one.rows, same.rows)
    np.testing.assert_array_equal(one.seeds, same.seeds)
    assert (one.rows != other.rows).any()


def test_which_rows_are_drawn_depends_on_the_groups_and_not_on_their_order() -> None:
    groups = np.array(["b", "a", "c", "a", "b"])
    order = np.array([3, 0, 4, 2, 1])
    one, moved = draw(groups.tolist(), 2, 50), draw(groups[order].tolist(), 2, 50)
    np.testing.assert_array_equal(one.rows[:, order], moved.rows)


def test_a_resample_is_the_mean_over_the_seeds_drawn_in_it() -> None:
    resamples = draw(["a", "b"], 3, 40)
    by_seed = np.array([[1.0], [10.0], [100.0]]).repeat(40, axis=1)
    found = estimate(by_seed[:, 0], by_seed, resamples)
    expected = [np.repeat([1.0, 10.0, 100.0], counts).mean() for counts in resamples.seeds]
    np.testing.assert_allclose(found.resampled, expected, rtol=1e-13)
    assert found.mean == 37.0


def scored(truth: np.ndarray, predicted: np.ndarray, groups: list[str], count: int) -> Estimate:
    """Hamming loss of one seed's decisions."""
    resamples = draw(groups, 1, count)
    shown = np.stack([1 - predicted, predicted], axis=1).astype(float)
    weights = np.concatenate([np.ones((1, len(truth)), np.int64), resamples.rows])
    found = weighted_scores(TASK, truth, shown, predicted, weights)["hl"][None]
    return estimate(found[:, 0], found[:, 1:], resamples)


def test_the_paired_difference_of_equal_predictions_is_exactly_nothing() -> None:
    random = np.random.default_rng(0)
    truth, predicted = random.integers(0, 2, 40), random.integers(0, 2, 40)
    groups = [str(i // 3) for i in range(40)]
    apart = scored(truth, predicted, groups, 200) - scored(truth, predicted, groups, 200)
    assert apart.mean == 0.0
    assert apart.interval == (0.0, 0.0)


def test_pairing_makes_the_interval_of_a_difference_narrower_than_its_parts() -> None:
    random = np.random.default_rng(1)
    truth, predicted = random.integers(0, 2, 200), random.integers(0, 2, 200)
    nearly = predicted.copy()
    nearly[:5] = truth[:5]  # a row that differs from the other in a few samples alone
    groups = [str(i) for i in range(200)]
    one, other = scored(truth, predicted, groups, 500), scored(truth, nearly, groups, 500)
    low, high = (one - other).interval
    assert high - low < 0.5 * (one.interval[1] - one.interval[0])


def covers(grouped: bool, rate: float = 0.3) -> float:
    """How often the interval holds the true error rate, where a group errs as a whole."""
    random = np.random.default_rng(7)
    hits = 0
    for _ in range(150):
        wrong = np.repeat(random.random(60) < rate, 5)
        truth = np.zeros(300, np.int64)
        groups = [str(i // 5 if grouped else i) for i in range(300)]
        low, high = scored(truth, wrong.astype(np.int64), groups, 300).interval
        hits += low <= rate <= high
    return hits / 150


def test_95_percent_intervals_cover_the_truth_when_groups_are_drawn() -> None:
    assert 0.89 <= covers(grouped=True) <= 0.99


def test_and_they_would_not_if_single_rows_were_drawn() -> None:
    assert covers(grouped=False) < 0.75


def test_undefined_resamples_are_left_out_of_the_interval() -> None:
    found = Estimate(np.array([0.5]), np.array([np.nan, 0.2, 0.4, np.nan]))
    assert found.interval == pytest.approx((0.205, 0.395))
    assert all(np.isnan(Estimate(np.array([0.5]), np.full(3, np.nan)).interval))
