from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.datasets.duplicates import NEAR, cluster, near_duplicates, normalise


def partition(numbers: np.ndarray) -> set[frozenset[int]]:
    """Clusters as sets of rows, whatever their numbers."""
    return {frozenset(np.flatnonzero(numbers == n).tolist()) for n in set(numbers.tolist())}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("RT @user: Flood in #Houston! https://t.co/Ab1?x=1", "flood in houston"),
        ("Flood in Houston", "flood in houston"),
        ("flood_in   houston\n", "flood in houston"),
        ("http://t.co/x", ""),
        ("\U0001f30a\U0001f30a", ""),
        ("", ""),
        ("@a @b RT", ""),
        ("Smart ART starts", "smart art starts"),  # RT within a word is no mark
        ("STRASSE Straße", "strasse strasse"),
        ("inundación 洪水", "inundación 洪水"),
        ("INUNDACIO\u0301N", "inundación"),
        ("\ufeffFlood\u200d in Hous\xadton", "flood in houston"),
        ("@पीडि़त बाढ़ आई। क्\u200dष", "बाढ़ आई क्ष"),
        ("فيضان، كبير؟ น้ำท่วม๏", "فيضان كبير น้ำท่วม"),
    ],
)
def test_normalised_is_what_a_tweet_says(text: str, said: str) -> None:
    assert normalise(text) == said


def test_samples_that_share_a_key_through_others_are_one_cluster() -> None:
    first = ["x", "x", "y", "z", None]
    second = [None, "p", "p", "q", None]
    assert partition(cluster([first, second])) == {frozenset({0, 1, 2}), *_alone(3, 4)}


def _alone(*rows: int) -> set[frozenset[int]]:
    return {frozenset({row}) for row in rows}


def test_no_value_is_no_link() -> None:
    assert partition(cluster([[None, None, float("nan")]])) == _alone(0, 1, 2)


def test_equal_values_of_different_keys_are_no_link() -> None:
    assert partition(cluster([["x", None], [None, "x"]])) == _alone(0, 1)


def test_pairs_link_as_keys_do() -> None:
    clusters = cluster([["x", "x", "y", "z"]], np.array([[1, 3]]))
    assert partition(clusters) == {frozenset({0, 1, 3}), *_alone(2)}


@settings(deadline=None)
@given(
    st.lists(st.tuples(*[st.none() | st.integers(0, 6)] * 2), min_size=1, max_size=25),
    st.randoms(use_true_random=False),
)
def test_clusters_are_the_finest_partition_in_any_order(
    rows: list[tuple[int | None, ...]], random: object
) -> None:
    order = list(range(len(rows)))
    random.shuffle(order)  # type: ignore[attr-defined]
    clusters = cluster(list(zip(*rows, strict=True)))
    shuffled = cluster(list(zip(*[rows[i] for i in order], strict=True)))
    back = {frozenset(order[i] for i in rows_of) for rows_of in partition(shuffled)}
    assert partition(clusters) == back == _by_hand(rows)


def _by_hand(rows: list[tuple[int | None, ...]]) -> set[frozenset[int]]:
    groups = [{i} for i in range(len(rows))]
    for i, one in enumerate(rows):
        for j, other in enumerate(rows[:i]):
            if any(a is not None and a == b for a, b in zip(one, other, strict=True)):
                joined = [g for g in groups if i in g or j in g]
                groups = [g for g in groups if g not in joined] + [set().union(*joined)]
    return {frozenset(group) for group in groups}


WORDS = [f"w{k}" for k in range(20)]


def test_a_reworded_text_is_near_and_another_is_not() -> None:
    long = " ".join(WORDS)
    texts = ["something else said by somebody", long, f"RT @a: {long} more http://t.co/1"]
    assert near_duplicates(texts).tolist() == [[1, 2]]


def test_the_default_threshold_includes_its_own_value() -> None:
    # Two of four triples shared.
    assert NEAR == 0.5
    assert len(near_duplicates(["a b c d e", "a b c d"])) == 1  # 2 of 3
    assert len(near_duplicates(["a b c d e", "b c d e f"])) == 1  # 2 of 4
    assert len(near_duplicates(["a b c d e", "c d e f g"])) == 0  # 1 of 5


@pytest.mark.parametrize(
    "texts", [[], [""], ["", "", ""], ["two words", "two words more"], ["http://t.co/1"] * 3]
)
def test_texts_without_triples_have_no_near_duplicate(texts: list[str]) -> None:
    pairs = near_duplicates(texts)
    assert pairs.shape[1] == 2
    assert not len(pairs)
