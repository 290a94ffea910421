"""What the paper's printed tables can and cannot be, by arithmetic alone."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pytest
from sklearn.metrics import f1_score, hamming_loss

from pipeline.evaluation.comparison import paper


class Row(NamedTuple):
    """F1, Hamming loss and MAP as printed."""

    f1: float
    hl: float
    map: float


TABLES = {
    "I": paper.INFORMATIVE,
    "II": paper.HUMANITARIAN,
    "III": paper.DAMAGE,
    "IV": paper.YOUTUBE,
}


def table(name: str) -> dict[str, Row]:
    return {method: Row(*scores) for method, scores in TABLES[name].items()}


def density_range(row: Row) -> tuple[float, float]:
    """Shares of positive cells that a micro-F1 and a cell-wise Hamming loss allow, roundings too.

    With TP the hits as a share of all cells, F1 = 2 TP / (2 TP + HL), and the positives are
    between TP (every error a false alarm) and TP + HL (every error a miss).
    """
    bounds = []
    for f1 in (row.f1 - 5e-4, row.f1 + 5e-4):
        for hl in (row.hl - 5e-4, row.hl + 5e-4):
            hits = f1 * hl / (2 * (1 - f1))
            bounds += [hits, hits + hl]
    return min(bounds), max(bounds)


def reachable_macro_f1(prevalence: float, error: float) -> tuple[float, float]:
    """Lowest and highest macro-F1 of a two-class task at this error, over where the errors are."""
    misses = np.linspace(max(0.0, error - (1 - prevalence)), min(error, prevalence), 2001)
    alarms = error - misses
    positive = 2 * (prevalence - misses) / (2 * (prevalence - misses) + error)
    remaining = 1 - prevalence - alarms
    macro = (positive + 2 * remaining / (2 * remaining + error)) / 2
    return float(macro.min()), float(macro.max())


def test_the_densities_allowed_are_those_of_counted_cells() -> None:
    rng = np.random.default_rng(0)
    truth = rng.random((400, 7)) < 0.17
    predicted = truth ^ (rng.random((400, 7)) < 0.05)
    f1 = f1_score(truth, predicted, average="micro")
    low, high = density_range(Row(f1, hamming_loss(truth, predicted), 0.0))
    assert low <= truth.mean() <= high


@pytest.mark.parametrize("classes", [2, 3, 5, 8])
def test_the_one_hot_hamming_loss_is_twice_the_error_over_the_classes(classes: int) -> None:
    rng = np.random.default_rng(0)
    truth, predicted = rng.integers(0, classes, (2, 500))
    cells = hamming_loss(np.eye(classes)[truth], np.eye(classes)[predicted])
    assert cells == pytest.approx(2 * hamming_loss(truth, predicted) / classes)


def test_no_prevalence_of_the_informative_labels_reaches_the_best_row_of_table_one() -> None:
    row = table("I")["hgfn_dmtl"]
    for prevalence in (0.671, 0.721, 0.515):
        assert reachable_macro_f1(prevalence, row.hl)[0] > row.f1 + 0.05


def macro_f1(confusion: np.ndarray) -> np.ndarray:
    """Macro-F1 of confusion matrices (n, C, C), rows the truth."""
    hits = np.diagonal(confusion, axis1=1, axis2=2)
    return (2 * hits / (confusion.sum(axis=1) + confusion.sum(axis=2))).mean(axis=1)


def test_macro_f1_of_confusions_is_scikit_learns() -> None:
    truth, predicted = np.random.default_rng(0).integers(0, 3, (2, 300))
    counted = np.zeros((1, 3, 3))
    np.add.at(counted, (0, truth, predicted), 1)
    assert macro_f1(counted)[0] == pytest.approx(f1_score(truth, predicted, average="macro"))


def test_no_placing_of_the_errors_found_reaches_the_last_row_of_table_three() -> None:
    """Damage: 475 little or none, 839 mild, 2,212 severe (CrisisMMD v2.0)."""
    row = table("III")["hgfn_dmtl"]
    counts = np.array([475, 839, 2212]) / 3526
    rng = np.random.default_rng(0)
    # Sparse draws, and each of the six ways to be wrong alone, where the extremes lie.
    shares = np.concatenate([rng.dirichlet([0.2] * 6, 20_000), np.eye(6)])
    confusion = np.zeros((len(shares), 3, 3))
    confusion[:, ~np.eye(3, dtype=bool)] = shares * row.hl
    confusion[:, np.eye(3, dtype=bool)] = counts - confusion.sum(axis=2)
    assert macro_f1(confusion).min() > row.f1 + 0.02


def test_six_rows_of_table_four_agree_on_a_density_and_the_outer_two_are_not_among_them() -> None:
    """One test set has one share of positive labels."""
    ranges = {method: density_range(row) for method, row in table("IV").items()}
    others = [ranges[method] for method in list(ranges)[1:-1]]
    low, high = max(bounds[0] for bounds in others), min(bounds[1] for bounds in others)
    assert low < 0.168 < high
    assert high - low < 0.005
    assert ranges["cfc_lsew"][0] == pytest.approx(0.26, abs=0.005)
    assert ranges["hgfn_dmtl"][0] == pytest.approx(0.38, abs=0.01)


def test_the_accuracies_of_table_five_contradict_the_hamming_losses_of_table_four() -> None:
    """The mean error over the labels is the Hamming loss, whatever the predictions are."""
    rng = np.random.default_rng(0)
    truth, predicted = rng.integers(0, 2, (2, 50, 7))
    errors = 1 - (truth == predicted).mean(axis=0)
    assert errors.mean() == pytest.approx(hamming_loss(truth, predicted))
    factors = {
        method: (1 - np.mean(accuracies)) / table("IV")[method].hl
        for method, accuracies in paper.YOUTUBE_ACCURACY.items()
    }
    assert min(factors.values()) == factors["cfc_lsew"] == pytest.approx(1.1, abs=0.05)
    assert max(factors.values()) == factors["cfc_mtinet"] == pytest.approx(4.1, abs=0.05)
    assert factors["hgfn_dmtl"] == pytest.approx(3.4, abs=0.05)


def test_every_printed_map_is_below_its_f1() -> None:
    """All 32, as where average precision is computed from decisions and not from scores."""
    rows = [row for name in TABLES for row in table(name).values()]
    assert len(rows) == 32
    assert all(row.map < row.f1 for row in rows)


def test_differences_named_in_the_text_are_not_those_of_the_tables() -> None:
    two, four = table("II"), table("IV")
    assert two["cfc_dmtl"].map - two["cfc_mtinet"].map == pytest.approx(0.072)  # "7.3 %"
    second = max(four[m].map for m in ("cfc_lsew", "matf_lsew", "gfn_lsew"))
    assert four["hgfn_lsew"].map - four["gfn_lsew"].map == pytest.approx(0.085)  # "8.5 %"
    assert second == four["matf_lsew"].map > four["gfn_lsew"].map
    assert two["gfn_lsew"].f1 < two["matf_lsew"].f1  # "a clear edge over MATF"
