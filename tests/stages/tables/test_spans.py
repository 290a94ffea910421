"""Spans of seeds, as tables/params.yaml and DVC's commands write them."""

from __future__ import annotations

import pytest

from stages.tables.spans import parse_span


@pytest.mark.parametrize(
    ("text", "name", "seeds"),
    [
        (5, "5", [5]),
        ("5", "5", [5]),
        (0, "0", [0]),
        ("1-4", "1-4", [1, 2, 3, 4]),
        ("9-10", "9-10", [9, 10]),
        (2**32 - 1, "4294967295", [2**32 - 1]),
    ],
)
def test_a_span_is_a_seed_or_all_from_its_first_to_its_last(
    text: int | str, name: str, seeds: list[int]
) -> None:
    assert parse_span(text).name == name
    assert list(parse_span(text).seeds) == seeds


@pytest.mark.parametrize(
    "text", [-1, "1-", "-1", "1-2-3", "1..4", "a", "", "05", "1-04", "1 - 4", "1٣", 1.5, True, None]
)
def test_what_is_no_span_is_refused_with_how_one_is_written(text: object) -> None:
    with pytest.raises(ValueError, match=r"is no seed \(5\) and no span of seeds \(1-4\)"):
        parse_span(text)


@pytest.mark.parametrize("text", ["4-1", "5-5", "1-101", 2**32, f"{2**32 - 2}-{2**32}"])
def test_a_span_ascends_over_few_seeds(text: int | str) -> None:
    with pytest.raises(ValueError, match="a span ascends over at most 100 seeds up to 4294967295"):
        parse_span(text)
