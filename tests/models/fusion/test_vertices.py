from __future__ import annotations

from math import comb

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.models.fusion.vertices import plan_levels


def test_three_modalities_have_three_bimodal_and_six_trimodal_vertices() -> None:
    bimodal, trimodal = plan_levels(("a", "b", "c"), 3)
    assert bimodal.labels == (("a", "b"), ("a", "c"), ("b", "c"))
    assert trimodal.labels == (
        (("a", "b"), ("b", "c")),
        (("a", "b"), ("a", "c")),
        (("b", "c"), ("a", "c")),
        (("a", "b"), "c"),
        (("b", "c"), "a"),
        (("a", "c"), "b"),
    )


@pytest.mark.parametrize(("count", "expected"), [(4, [6, 24, 10]), (5, [10, 60, 50, 15])])
def test_known_vertex_counts_above_three_modalities(count: int, expected: list[int]) -> None:
    plans = plan_levels(tuple("abcdef"[:count]), count)
    assert [len(plan.pairs) for plan in plans] == expected


@given(st.integers(2, 6), st.booleans(), st.data())
def test_each_vertex_joins_two_partners_into_its_support(
    count: int, ordered: bool, data: st.DataObject
) -> None:
    order = data.draw(st.integers(2, count))
    names = tuple("abcdef"[:count])
    pool: list[set[int]] = [{m} for m in range(count)]
    for level, plan in enumerate(plan_levels(names, order, ordered), start=2):
        per_support = level * (level - 1) // 2 + level if level > 2 else 1 + ordered
        assert len(plan.supports) == comb(count, level)
        assert len(plan.pairs) == len(plan.labels) == comb(count, level) * per_support
        assert len(set(plan.labels)) == len(plan.labels)
        for vertex, (left, right) in enumerate(plan.pairs):
            assert pool[left] | pool[right] == set(plan.supports[vertex // per_support])
            assert pool[left] != pool[right]
        pool = [set(support) for support in plan.supports] + [{m} for m in range(count)]


def test_levels_above_the_third_are_named_by_their_order() -> None:
    names = [plan.name for plan in plan_levels(("a", "b", "c", "d"), 4)]
    assert names == ["bimodal", "trimodal", "4-modal"]


def test_one_modality_has_no_level_above_its_own() -> None:
    assert plan_levels(("a",), 1) == []
