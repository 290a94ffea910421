from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import ttest_rel

from pipeline.evaluation.comparison.rows import Result
from pipeline.evaluation.comparison.table import comparison_table, markdown, t_interval

RESULT = Result("ours", 0, 0.0, 0.5, 0.5, 0.5, parameters=10, seconds=1.0)


def results(**maps: list[float]) -> list[Result]:
    return [
        replace(RESULT, row=row, seed=seed, map=value)
        for row, values in maps.items()
        for seed, value in enumerate(values)
    ]


def line(table: pd.DataFrame, row: str) -> pd.Series:
    return table[table["row"] == row].iloc[0]


def test_the_interval_is_the_one_computed_by_hand() -> None:
    # Differences 0.1, 0.2, 0.3: mean 0.2, sd 0.1, t(0.975, 2) = 4.30265, so 4.30265 x 0.1 / 3^0.5.
    table = comparison_table(results(ours=[0.6, 0.7, 0.8], other=[0.5, 0.5, 0.5]), "ours")
    other = line(table, "other")
    assert other["map_difference"] == pytest.approx(0.2)
    assert other["map_difference_low"] == pytest.approx(0.2 - 0.248414, abs=1e-6)
    assert other["map_difference_high"] == pytest.approx(0.2 + 0.248414, abs=1e-6)
    ours = line(table, "ours")
    assert ours["map"] == pytest.approx(0.7)
    assert ours["map_sd"] == pytest.approx(0.1)
    assert (ours["map_difference"], ours["map_difference_high"]) == (0, 0)


scores = st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=2, max_size=8)


@given(scores)
def test_the_interval_excludes_0_exactly_where_the_paired_t_test_is_below_five_percent(
    pairs: list[tuple[float, float]],
) -> None:
    ours, other = np.array(pairs).T
    differences = ours - other
    if np.std(differences) < 1e-6:  # there the test divides by 0
        return
    found = line(comparison_table(results(ours=list(ours), other=list(other)), "ours"), "other")
    p = ttest_rel(ours, other).pvalue
    excluded = not found["map_difference_low"] <= 0 <= found["map_difference_high"]
    assert abs(p - 0.05) < 1e-6 or excluded == (p < 0.05)


def test_differences_are_paired_by_seed_whatever_the_order() -> None:
    shuffled = results(ours=[0.1, 0.5, 0.9], other=[0.0, 0.4, 0.8])[::-1]
    found = line(comparison_table(shuffled, "ours"), "other")
    assert found["map_difference_low"] == pytest.approx(0.1)
    assert found["map_difference_high"] == pytest.approx(0.1)


def test_rows_stand_best_first_and_one_seed_has_no_interval() -> None:
    table = comparison_table(results(ours=[0.5], better=[0.6], worse=[0.1]), "ours")
    assert table["row"].tolist() == ["better", "ours", "worse"]
    assert np.isnan(t_interval(np.array([0.5])).low)
    text = markdown(table, "title", ["note"], "ours")
    assert "| worse | 0.100 | +0.400 |" in text
    assert "nan" not in text


def test_the_markdown_holds_mean_deviation_and_interval() -> None:
    table = comparison_table(results(ours=[0.6, 0.7, 0.8], other=[0.5, 0.5, 0.5]), "ours")
    lines = markdown(table, "six rows", ["a note"], "ours").splitlines()
    assert lines[0] == "# six rows"
    assert lines[-1] == "- a note"
    ours, other = lines[6], lines[7]
    assert ours.startswith("| **ours** | 0.700 ± 0.100 |  | 0.500 ± 0.000 |  |")
    assert other.startswith("| other | 0.500 ± 0.000 | +0.200 [-0.048, +0.448] |")
    assert other.endswith("| 10 | 1.0 |")
    assert {text.count("|") for text in lines[4:8]} == {12}
