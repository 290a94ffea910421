from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pipeline.extractors.elmo_layers import character_ids

BOW, EOW, PAD = 259, 260, 261


def test_a_word_is_its_bytes_between_marks_plus_one() -> None:
    assert character_ids(["hé"])[0, :6].tolist() == [BOW, 105, 196, 170, EOW, PAD]


def test_boundaries_have_their_own_symbols() -> None:
    ids = character_ids(["<S>", "</S>"])
    assert ids[:, :4].tolist() == [[BOW, 257, EOW, PAD], [BOW, 258, EOW, PAD]]


def test_a_long_word_keeps_48_bytes_even_within_a_character() -> None:
    row = character_ids(["a" + "é" * 30])[0].tolist()
    assert row == [BOW, 98, *[196, 170] * 23, 196, EOW]


@given(st.text(alphabet=st.characters(), max_size=80))
def test_any_word_has_50_ids_in_range_and_one_end(word: str) -> None:
    row = character_ids([word])[0].tolist()
    assert len(row) == 50
    assert all(1 <= value <= 261 for value in row)
    assert row[0] == BOW
    assert row.count(EOW) == 1
    assert set(row[row.index(EOW) + 1 :]) <= {PAD}
