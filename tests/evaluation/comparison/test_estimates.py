"""Estimates over seeds: whole groups, paired rows, intervals that cover."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import ttest_rel

from pipeline.evaluation.comparison.estimates import (
    MEAN,
    Estimate,
    draw_resamples,
    estimate_tasks,
)
from pipeline.evaluation.scores import Arrays, decide, score_tasks
from pipeline.mtl import Task

FLOOD = Task("flood", ("absent", "present"), negative="absent", head="sigmoid")
TASKS = [FLOOD, Task("damage", ("none", "mild", "severe"), negative="none")]
ROWS = 30
TRUTH = {t.name: np.random.default_rng(9).integers(-1, len(t.classes), ROWS) for t in TASKS}
GROUPS = [str(i // 2) for i in range(ROWS)]


@given(sizes=st.lists(st.integers(1, 5), min_size=1, max_size=12), seed=st.integers(0, 1000))
def test_a_group_is_drawn_as_a_whole_and_as_many_groups_as_there_are(
    sizes: list[int], seed: int
) -> None:
    groups = [f"g{i}" for i, size in enumerate(sizes) for _ in range(size)]
    order = np.random.default_rng(seed).permutation(len(groups))
    shuffled = [groups[i] for i in order]
    drawn = draw_resamples(shuffled, 3, 20)
    first = {name: shuffled.index(name) for name in set(shuffled)}
    for row, name in enumerate(shuffled):
        np.testing.assert_array_equal(drawn.rows[:, row], drawn.rows[:, first[name]])
    np.testing.assert_array_equal(drawn.rows[:, list(first.values())].sum(axis=1), len(sizes))
    np.testing.assert_array_equal(drawn.seeds.sum(axis=1), 3)


def test_which_rows_are_drawn_depends_on_the_groups_and_not_on_their_order() -> None:
    groups = np.array(["b", "a", "c", "a", "b"])
    order = np.array([3, 0, 4, 2, 1])
    one = draw_resamples(groups.tolist(), 2, 50)
    moved = draw_resamples(groups[order].tolist(), 2, 50)
    np.testing.assert_array_equal(one.rows[:, order], moved.rows)


def error(truth: np.ndarray, predicted: np.ndarray, groups: list[str], count: int) -> Estimate:
    """Hamming loss of one seed's decisions."""
    probabilities = np.stack([1 - predicted, predicted], axis=1).astype(float)
    predictions = [({"flood": probabilities}, {"flood": predicted})]
    resamples = draw_resamples(groups, 1, count)
    return estimate_tasks([FLOOD], {"flood": truth}, predictions, resamples)["flood", "hl"]


def test_pairing_makes_the_interval_of_a_difference_narrower_than_its_parts() -> None:
    random = np.random.default_rng(1)
    truth, predicted = random.integers(0, 2, 200), random.integers(0, 2, 200)
    nearly = predicted.copy()
    nearly[:5] = truth[:5]  # differs from the other in a few samples alone
    groups = [str(i) for i in range(200)]
    one, other = error(truth, predicted, groups, 500), error(truth, nearly, groups, 500)
    low, high = (one - other).interval
    assert high - low < 0.5 * (one.interval[1] - one.interval[0])


def coverage(grouped: bool, rate: float = 0.3) -> float:
    """How often the interval holds the true error rate, where a group errs as a whole."""
    random = np.random.default_rng(7)
    hits = 0
    for _ in range(150):
        wrong = np.repeat(random.random(60) < rate, 5)
        groups = [str(i // 5 if grouped else i) for i in range(300)]
        low, high = error(np.zeros(300, np.int64), wrong.astype(np.int64), groups, 300).interval
        hits += low <= rate <= high
    return hits / 150


def test_95_percent_intervals_cover_the_truth_when_groups_are_drawn() -> None:
    assert 0.89 <= coverage(grouped=True) <= 0.99


def test_and_they_would_not_if_single_rows_were_drawn() -> None:
    assert coverage(grouped=False) < 0.75


def test_undefined_resamples_are_left_out_of_the_interval() -> None:
    estimate = Estimate(np.array([0.5]), np.array([np.nan, 0.2, 0.4, np.nan]))
    assert estimate.interval == pytest.approx((0.205, 0.395))
    assert all(np.isnan(Estimate(np.array([0.5]), np.full(3, np.nan)).interval))


def predictions(seed: int) -> tuple[Arrays, Arrays]:
    random = np.random.default_rng(seed)
    values = {task.name: random.dirichlet(np.ones(len(task.classes)), ROWS) for task in TASKS}
    return values, {task.name: decide(task, values[task.name]) for task in TASKS}


def test_values_are_each_seeds_scores_and_their_mean_over_tasks() -> None:
    seeds = [predictions(0), predictions(1)]
    estimates = estimate_tasks(TASKS, TRUTH, seeds, draw_resamples(GROUPS, 2, 100))
    for index, (probabilities, _) in enumerate(seeds):
        half = {task.name: 0.5 for task in TASKS}
        expected = score_tasks(TASKS, TRUTH, probabilities, half)
        for task in ("flood", "damage", MEAN):
            for score in ("f1", "hl", "map"):
                value = estimates[task, score].values[index]
                assert value == pytest.approx(expected[task][score], abs=1e-12)


def test_a_resample_is_the_mean_over_the_seeds_drawn_in_it() -> None:
    seeds, resamples = [predictions(0), predictions(1)], draw_resamples(GROUPS, 2, 40)
    both = estimate_tasks(TASKS, TRUTH, seeds, resamples)[MEAN, "hl"].resampled
    single = [
        estimate_tasks(TASKS, TRUTH, [seed], replace(resamples, seeds=np.ones((40, 1))))
        for seed in seeds
    ]
    first, second = (estimates[MEAN, "hl"].resampled for estimates in single)
    assert both is not None
    for value, *values, counts in zip(both, first, second, resamples.seeds, strict=True):
        assert value == pytest.approx(np.repeat(values, counts).mean(), rel=1e-13)


def test_a_task_undefined_in_a_resample_is_left_out_of_that_resamples_mean() -> None:
    truth = {"flood": np.where(np.arange(ROWS) == 0, 1, 0), "damage": TRUTH["damage"]}
    resamples = draw_resamples(GROUPS, 1, 200)
    estimates = estimate_tasks(TASKS, truth, [predictions(0)], resamples)
    without = resamples.rows[:, 0] == 0
    assert without.any()
    flood, damage, mean = (estimates[t, "map"].resampled for t in ("flood", "damage", MEAN))
    assert flood is not None
    assert damage is not None
    assert mean is not None
    np.testing.assert_array_equal(np.isnan(flood), without)
    np.testing.assert_array_equal(mean[without], damage[without])


def test_equal_predictions_differ_by_exactly_nothing() -> None:
    resamples = draw_resamples(GROUPS, 2, 100)
    one, same = (
        estimate_tasks(TASKS, TRUTH, [predictions(0), predictions(1)], resamples) for _ in range(2)
    )
    for key, value in one.items():
        assert (value - same[key]).interval == (0.0, 0.0)


def over_seeds(*values: float, overlap: float = 0.0) -> Estimate:
    return Estimate(np.array(values), overlap=overlap)


@pytest.mark.parametrize(
    ("overlap", "half"),
    [
        # Differences 0.1, 0.2, 0.3: mean 0.2, sd 0.1, t(0.975, 2) = 4.30265; of one split,
        # 4.30265 x 0.1 / 3^0.5.
        (0.0, 0.248414),
        # Of random splits of 60/20/20: 4.30265 x 0.1 x (1/3 + 20/60)^0.5.
        (1 / 3, 0.351310),
    ],
)
def test_the_interval_over_seeds_is_the_one_computed_by_hand(overlap: float, half: float) -> None:
    difference = over_seeds(0.6, 0.7, 0.8, overlap=overlap) - over_seeds(0.5, 0.5, 0.5)
    assert difference.mean == pytest.approx(0.2)
    assert difference.sd == pytest.approx(0.1)
    assert difference.interval == pytest.approx((0.2 - half, 0.2 + half), abs=1e-6)


def splits_coverage(overlap: float, splits: int = 10, rows: int = 50) -> float:
    """How often the interval over random splits holds the true difference of two rows, 0.

    Each sample differs by chance, a split's difference is the mean over its 20 % test rows.
    """
    random = np.random.default_rng(3)
    hits = 0
    for _ in range(400):
        differences = random.normal(size=rows)
        order = random.permuted(np.tile(np.arange(rows), (splits, 1)), axis=1)
        of_splits = differences[order[:, : rows // 5]].mean(axis=1)
        low, high = over_seeds(*of_splits, overlap=overlap).interval
        hits += low <= 0 <= high
    return hits / 400


def test_the_corrected_interval_over_overlapping_splits_covers() -> None:
    assert 0.92 <= splits_coverage(overlap=1 / 3) <= 0.99


def test_plain_t_over_overlapping_splits_covers_too_rarely() -> None:
    assert splits_coverage(overlap=0.0) < 0.85


pairs = st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=2, max_size=8)


@given(pairs)
def test_the_interval_of_one_split_excludes_0_exactly_where_the_paired_t_test_is_below_five_percent(
    scores: list[tuple[float, float]],
) -> None:
    ours, others = np.array(scores).T
    if np.std(ours - others) < 1e-6:  # there the test divides by 0, and there is no interval
        return
    low, high = (over_seeds(*ours) - over_seeds(*others)).interval
    p = ttest_rel(ours, others).pvalue
    assert abs(p - 0.05) < 1e-6 or (not low <= 0 <= high) == (p < 0.05)


def test_one_seed_has_neither_deviation_nor_interval() -> None:
    assert np.isnan([over_seeds(0.5).sd, *over_seeds(0.5).interval]).all()


def test_seeds_that_change_nothing_give_no_interval() -> None:
    one, other = over_seeds(0.1, 0.1, 0.1), over_seeds(0.3, 0.3, np.nextafter(0.3, 1))
    assert np.isnan([*one.interval, *(other - one).interval]).all()
    assert (other - one).mean == pytest.approx(0.2)
