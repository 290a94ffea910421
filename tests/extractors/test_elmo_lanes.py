from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pipeline.extractors.elmo import LANES, STEPS, blocks, fill_lanes

lengths = st.lists(st.integers(2, 40), min_size=1, max_size=300)


@given(lengths)
def test_every_sentence_lies_whole_in_its_lane_and_nothing_overlaps(sizes: list[int]) -> None:
    sentences = [[number] * size for number, size in enumerate(sizes, start=1)]
    lanes = fill_lanes(sentences)
    for sentence, (lane, steps) in zip(sentences, lanes.places, strict=True):
        assert lanes.rows[steps, lane].tolist() == sentence
        assert lanes.first[steps, lane].nonzero().tolist() == [[0]]
        assert lanes.last[steps, lane].nonzero().tolist() == [[len(sentence) - 1]]
    assert lanes.rows.count_nonzero() == sum(sizes)
    assert lanes.first.sum() == lanes.last.sum() == len(sizes)


@given(lengths)
def test_the_lanes_are_always_as_many_and_about_as_long(sizes: list[int]) -> None:
    rows = fill_lanes([[1] * size for size in sorted(sizes, reverse=True)]).rows
    assert rows.shape[1] == LANES
    assert rows.shape[0] <= max(max(sizes), sum(sizes) / LANES + min(max(sizes), 40))


@given(st.lists(st.integers(2, 3 * STEPS), max_size=600))
def test_blocks_hold_each_sentence_once_and_no_more_than_fits(sizes: list[int]) -> None:
    found = list(blocks(sizes))
    assert sorted(index for block in found for index in block) == list(range(len(sizes)))
    for block in found:
        longest = max(sizes[index] for index in block)
        assert sum(sizes[index] for index in block) <= LANES * max(STEPS, longest)
