"""The join finds the clusters that comparing all pairs finds, without comparing all pairs."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pipeline.datasets.crisismmd import read_samples
from pipeline.datasets.duplicates import SHINGLE, cluster, near_duplicates, normalise

THRESHOLDS = (0.2, 1 / 3, 0.4, 0.5, 0.8, 1.0)


def triples(text: str) -> set[tuple[str, ...]]:
    words = normalise(text).split()
    return {tuple(words[at : at + SHINGLE]) for at in range(len(words) - SHINGLE + 1)}


def all_near_pairs(texts: list[str], threshold: float) -> np.ndarray:
    """Compare all pairs; texts of equal words are linked by a key of the index."""
    sets = {normalise(text): (number, triples(text)) for number, text in enumerate(texts)}
    rows = list(sets.values())
    pairs = [
        (one, other)
        for k, (one, a) in enumerate(rows)
        for other, b in rows[:k]
        if a & b and len(a & b) / len(a | b) >= threshold
    ]
    return np.array(pairs, int).reshape(-1, 2)


def clusters(texts: list[str], pairs: np.ndarray) -> list[int]:
    equal = [normalise(text) or None for text in texts]
    return pd.factorize(cluster([equal], pairs))[0].tolist()


few_words = st.lists(st.sampled_from("abcd"), max_size=14).map(" ".join)
# Texts that repeat a long passage with other words around it.
passages = st.tuples(
    few_words, st.sampled_from(("k l m n o p q", "k l m n o p", "l m n")), few_words
)


@given(
    st.lists(few_words | passages.map(" ".join), max_size=25),
    st.sampled_from(THRESHOLDS),
)
@example(["a b c d e", "b c d e f", "a b c d e"], 0.5)
def test_the_clusters_are_those_of_all_pairs(texts: list[str], threshold: float) -> None:
    pairs = near_duplicates(texts, threshold)
    expected = all_near_pairs(texts, threshold)
    assert clusters(texts, pairs) == clusters(texts, expected)
    for one, other in pairs:
        a, b = triples(texts[one]), triples(texts[other])
        assert len(a & b) / len(a | b) >= threshold


@pytest.mark.parametrize("threshold", THRESHOLDS)
@pytest.mark.parametrize(("vocabulary", "longest"), [(2, 30), (4, 12), (12, 20)])
def test_dense_clusters_are_those_of_all_pairs(
    vocabulary: int, longest: int, threshold: float
) -> None:
    rng = np.random.default_rng(0)
    lengths = rng.integers(0, longest, 150)
    texts = [" ".join(map(str, rng.integers(0, vocabulary, length))) for length in lengths]
    expected = clusters(texts, all_near_pairs(texts, threshold))
    assert clusters(texts, near_duplicates(texts, threshold)) == expected


@pytest.mark.parametrize("threshold", [0.35, 0.5])
def test_the_clusters_of_real_tweets_are_those_of_all_pairs(
    shared_data: Path, threshold: float
) -> None:
    texts = read_samples(shared_data / "crisismmd_photos", "agreed")["text"].tolist()
    expected = clusters(texts, all_near_pairs(texts, threshold))
    assert clusters(texts, near_duplicates(texts, threshold)) == expected


PHRASE = "thoughts and prayers for all of texas {0} a{0} b{0} c{0} d{0} e{0}"
TEMPLATE = "donate now to help all families who lost their homes {0}"


@pytest.mark.parametrize(
    ("text", "links"), [(PHRASE, 0), (TEMPLATE, 2999)], ids=["a phrase", "a template"]
)
def test_memory_does_not_grow_with_the_square_of_a_shared_phrase(text: str, links: int) -> None:
    tweets = [text.format(k) for k in range(3000)]
    tracemalloc.start()
    pairs = near_duplicates(tweets)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert links <= len(pairs) <= 20 * links
    assert peak < 20 << 20  # all pairs would be 9 million
