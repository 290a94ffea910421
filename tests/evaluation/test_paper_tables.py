"""What the paper's printed tables can and cannot be, by arithmetic alone."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pytest
from sklearn.metrics import f1_score, hamming_loss


class Row(NamedTuple):
    """F1, Hamming loss and MAP as printed."""

    f1: float
    hl: float
    map: float


METHODS = (
    "CFC + LSEW",
    "MATF + LSEW",
    "GFN + LSEW",
    "HGFN + LSEW",
    "CFC + MOO",
    "CFC + MTI-NET",
    "CFC + DMTL",
    "HGFN + DMTL",
)
PRINTED = {
    "I": """.623 .237 .587  .774 .151 .738  .813 .104 .762  .839 .097 .794
            .685 .202 .638  .673 .214 .625  .736 .164 .709  .862 .041 .825""",
    "II": """.527 .293 .496  .681 .207 .649  .677 .209 .642  .712 .181 .695
             .603 .246 .571  .614 .237 .588  .686 .194 .660  .762 .153 .749""",
    "III": """.634 .229 .607  .781 .148 .745  .819 .117 .793  .852 .080 .839
              .693 .181 .664  .688 .186 .650  .746 .149 .715  .913 .029 .897""",
    "IV": """.769 .157 .722  .865 .053 .818  .889 .041 .805  .931 .024 .890
             .874 .040 .828  .882 .035 .831  .922 .027 .904  .987 .011 .958""",
}
# Table V: accuracy of each of the seven concepts.
ACCURACIES = {
    "CFC + LSEW": (0.823, 0.812, 0.866, 0.829, 0.787, 0.780, 0.875),
    "MATF + LSEW": (0.853, 0.841, 0.897, 0.854, 0.811, 0.804, 0.905),
    "GFN + LSEW": (0.866, 0.851, 0.902, 0.865, 0.831, 0.824, 0.880),
    "HGFN + LSEW": (0.914, 0.909, 0.960, 0.927, 0.913, 0.895, 0.923),
    "CFC + MOO": (0.841, 0.835, 0.887, 0.853, 0.819, 0.804, 0.890),
    "CFC + MTI-NET": (0.866, 0.852, 0.875, 0.841, 0.833, 0.812, 0.906),
    "CFC + DMTL": (0.933, 0.908, 0.932, 0.931, 0.942, 0.903, 0.915),
    "HGFN + DMTL": (0.955, 0.971, 0.989, 0.973, 0.952, 0.917, 0.982),
}


def table(name: str) -> dict[str, Row]:
    values = np.array(PRINTED[name].split(), float).reshape(len(METHODS), 3)
    return {method: Row(*row) for method, row in zip(METHODS, values, strict=True)}


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
    kept = 1 - prevalence - alarms
    macro = (positive + 2 * kept / (2 * kept + error)) / 2
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
    row = table("I")["HGFN + DMTL"]
    for prevalence in (0.671, 0.721, 0.515):
        assert reachable_macro_f1(prevalence, row.hl)[0] > row.f1 + 0.05


def test_six_rows_of_table_four_agree_on_a_density_and_the_outer_two_are_not_among_them() -> None:
    """One test set has one share of positive labels."""
    ranges = {method: density_range(row) for method, row in table("IV").items()}
    others = [ranges[method] for method in METHODS[1:-1]]
    low, high = max(bounds[0] for bounds in others), min(bounds[1] for bounds in others)
    assert low < 0.168 < high
    assert high - low < 0.005
    assert ranges["CFC + LSEW"][0] == pytest.approx(0.26, abs=0.005)
    assert ranges["HGFN + DMTL"][0] == pytest.approx(0.38, abs=0.01)


def test_the_accuracies_of_table_five_contradict_the_hamming_losses_of_table_four() -> None:
    """The mean error over the labels is the Hamming loss, whatever the predictions are."""
    rng = np.random.default_rng(0)
    truth, predicted = rng.integers(0, 2, (2, 50, 7))
    errors = 1 - (truth == predicted).mean(axis=0)
    assert errors.mean() == pytest.approx(hamming_loss(truth, predicted))
    factors = {
        method: (1 - np.mean(accuracies)) / table("IV")[method].hl
        for method, accuracies in ACCURACIES.items()
    }
    assert min(factors.values()) == factors["CFC + LSEW"] == pytest.approx(1.1, abs=0.05)
    assert max(factors.values()) == factors["CFC + MTI-NET"] == pytest.approx(4.1, abs=0.05)
    assert factors["HGFN + DMTL"] == pytest.approx(3.4, abs=0.05)


def test_every_printed_map_is_below_its_f1() -> None:
    """All 32, as where average precision is computed from decisions and not from scores."""
    rows = [row for name in PRINTED for row in table(name).values()]
    assert len(rows) == 32
    assert all(row.map < row.f1 for row in rows)


def test_differences_named_in_the_text_are_not_those_of_the_tables() -> None:
    two, four = table("II"), table("IV")
    assert two["CFC + DMTL"].map - two["CFC + MTI-NET"].map == pytest.approx(0.072)  # "7.3 %"
    second = max(four[m].map for m in ("CFC + LSEW", "MATF + LSEW", "GFN + LSEW"))
    assert four["HGFN + LSEW"].map - four["GFN + LSEW"].map == pytest.approx(0.085)  # "8.5 %"
    assert second == four["MATF + LSEW"].map > four["GFN + LSEW"].map
    assert two["GFN + LSEW"].f1 < two["MATF + LSEW"].f1  # "a clear edge over MATF"
