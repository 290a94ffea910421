from __future__ import annotations

from math import comb

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pipeline.models.fusion.graph import build_levels


def test_three_modalities_have_three_bimodal_and_six_trimodal_vertices() -> None:
    bimodal, trimodal = build_levels(("a", "b", "c"), 3)
    assert bimodal.vertices == [("a", "b"), ("a", "c"), ("b", "c")]
    assert trimodal.vertices == [
        (("a", "b"), ("b", "c")),
        (("a", "b"), ("a", "c")),
        (("b", "c"), ("a", "c")),
        (("a", "b"), "c"),
        (("b", "c"), "a"),
        (("a", "c"), "b"),
    ]


@pytest.mark.parametrize(("count", "expected"), [(4, [6, 24, 10]), (5, [10, 60, 50, 15])])
def test_known_vertex_counts_above_three_modalities(count: int, expected: list[int]) -> None:
    levels = build_levels(tuple("abcdef"[:count]), count)
    assert [len(level.vertices) for level in levels] == expected


@given(st.integers(2, 6), st.booleans(), st.data())
def test_each_vertex_joins_two_partners_into_its_support(
    count: int, ordered: bool, data: st.DataObject
) -> None:
    highest = data.draw(st.integers(2, count))
    pool: list[set[int]] = [{m} for m in range(count)]
    for order, level in enumerate(build_levels(tuple("abcdef"[:count]), highest, ordered), 2):
        supports = [set(row.nonzero().flatten().tolist()) for row in level.members]
        assert level.per_support == (order * (order - 1) // 2 + order if order > 2 else 1 + ordered)
        assert len(supports) == len(level.vertices) == comb(count, order) * level.per_support
        assert len(set(level.vertices)) == len(level.vertices)
        for left, right, support in zip(level.left, level.right, supports, strict=True):
            assert pool[left] | pool[right] == support
            assert pool[left] != pool[right]
            assert len(support) == order
        pool = supports[:: level.per_support] + [{m} for m in range(count)]


def test_a_support_has_the_sum_of_its_weights_and_the_mean_of_its_vertices() -> None:
    (level,) = build_levels(("a", "b"), 2, ordered_pairs=True)
    values = torch.tensor([[[1.0, 2.0], [5.0, 8.0]]])
    scores = torch.tensor([[[0.0], [3.0]]]).log1p()  # softmax: 1/5 and 4/5
    torch.testing.assert_close(level.average(values, scores), torch.tensor([[[4.2, 6.8]]]))
    assert level.total(values).tolist() == [[[6.0, 10.0]]]
