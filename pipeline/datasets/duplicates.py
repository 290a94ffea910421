"""Clusters of samples that belong together: equal, near-duplicate, or with a shared key."""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import count

import numpy as np
import pandas as pd
from scipy.sparse import coo_matrix, csr_matrix
from scipy.sparse.csgraph import connected_components

from pipeline.ground.letters import WORD

# Measured on five events of CrisisMMD (10,799 texts): at 0.5 there are two pairs, each one message
# reworded; at 0.35 most pairs are different messages of one template.
NEAR = 0.5
SHINGLE = 3
BLOCK = 1 << 18  # candidates in memory at once
STORED = 1 << 23  # and triples of the sets that are compared at once
ROUNDING = 1e-6  # widens each bound, so that rounding excludes no number equal to it

_NOISE = re.compile(rf"https?://\S*|\bRT\b|@{WORD}+|(?!{WORD})\S|_")
# Characters that are invisible within a word: soft hyphen, joiners, byte-order mark.
_INVISIBLE = re.compile(r"[\xad\u200c\u200d\u2060\ufeff]")


def normalise(text: str) -> str:
    """Reduce a tweet to its words: no links, retweet marks, mentions, punctuation or case.

    A composed letter equals the same letter with a combining mark.
    """
    words = _NOISE.sub(" ", _INVISIBLE.sub("", unicodedata.normalize("NFC", text)))
    return " ".join(unicodedata.normalize("NFC", words.casefold()).split())


def cluster(keys: Iterable[Iterable[object | None]], pairs: np.ndarray | None = None) -> np.ndarray:
    """Number the clusters of samples that share a key, directly or through others.

    Each of `keys` holds one value per sample, None where the sample has none. `pairs` [p, 2] adds
    links between samples. Returns one cluster number per sample.
    """
    columns = [pd.Series(list(key), dtype=object) for key in keys]
    samples = len(columns[0])
    rows, nodes, offset = [], [], samples
    for column in columns:
        codes, values = pd.factorize(column, use_na_sentinel=True)
        known = codes >= 0
        rows.append(np.flatnonzero(known))
        nodes.append(codes[known] + offset)
        offset += len(values)
    if pairs is not None and len(pairs):
        rows.append(pairs[:, 0])
        nodes.append(pairs[:, 1])
    row, node = np.concatenate(rows), np.concatenate(nodes)
    graph = coo_matrix((np.ones(len(row), bool), (row, node)), shape=(offset, offset))
    return connected_components(graph, directed=False)[1][:samples]


def near_duplicates(texts: Sequence[str], threshold: float = NEAR) -> np.ndarray:
    """Link texts whose sets of word triples overlap (Jaccard >= threshold).

    Returns pairs [p, 2] of near-duplicates, enough of them to connect every text with all its
    near-duplicates, directly or through others. `_Join` describes time and memory.
    """
    first: dict[str, int] = {}  # of equal texts
    for number, text in enumerate(texts):
        first.setdefault(normalise(text), number)
    pairs = _Join(*_triples(list(first)), threshold).links()
    return np.sort(np.array(list(first.values()), np.int64)[pairs], axis=1)


def _triples(texts: list[str]) -> tuple[csr_matrix, np.ndarray]:
    """Return which text (row) has which word triple (column), and each text's number of triples.

    Only triples of several texts have a column, the rarest first.
    """
    numbers: defaultdict[str, int] = defaultdict(count().__next__)
    lengths = [len(text.split()) for text in texts]
    words = np.fromiter((numbers[word] for text in texts for word in text.split()), np.int32)
    row = np.repeat(np.arange(len(texts), dtype=np.int32), lengths)
    last = max(len(words) - SHINGLE + 1, 0)
    column = words[:last]
    for k in range(1, SHINGLE):
        column = _numbered(column, words[k : last + k])
    inside = row[:last] == row[len(row) - last :]
    row, column = row[:last][inside], column[inside]
    shape = (len(texts), int(column.max(initial=-1)) + 1)
    sets = coo_matrix((np.ones(len(row), bool), (row, column)), shape=shape).tocsr()
    frequency = np.bincount(sets.indices, minlength=shape[1])
    shared = np.argsort(frequency, kind="stable")[np.count_nonzero(frequency < 2) :]
    return sets[:, shared].sorted_indices(), np.diff(sets.indptr).astype(np.int64)


def _numbered(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Number the distinct pairs of two equally long columns."""
    keys = first.astype(np.int64) * (int(second.max(initial=0)) + 1) + second
    order = np.argsort(keys)
    keys = keys[order]
    numbers = np.zeros(len(keys), np.int32)
    numbers[order[1:]] = np.cumsum(keys[1:] != keys[:-1], dtype=np.int32)
    return numbers


class _Join:
    """The links between near sets: an exact join, with prefix, length and positional filters.

    Only sets that share a triple early enough, the rarest first, can reach the threshold (Xiao et
    al. 2008, PPJoin). Sets that are connected already are not compared. So time grows with the sets
    and with the candidates that are not near and yet share an early triple, memory with the sets.
    The packages SetSimilaritySearch and py-stringsimjoin return every near pair: their number grows
    with the square of a cluster.
    """

    def __init__(self, sets: csr_matrix, sizes: np.ndarray, threshold: float) -> None:
        self._sets, self._sizes, self._threshold = sets, sizes, threshold
        # The component of each set so far. At first, those of similar size are neighbours.
        self._component = np.argsort(np.argsort(sizes, kind="stable"))
        self._links = [np.empty((0, 2), np.int64)]
        rows = np.repeat(np.arange(len(sizes)), np.diff(sets.indptr))
        # Near sets of sizes a and b share (a + b) threshold / (1 + threshold) triples or more. If
        # the first of them has `left` or fewer from there on, b is at most `reach`.
        left = sets.indptr[1:][rows] - np.arange(len(rows))
        reach = left * (1 + threshold) / threshold - sizes[rows] + ROUNDING
        early = reach >= threshold * sizes[rows]
        early[early] = np.bincount(sets.indices[early])[sets.indices[early]] > 1
        # Postings: a set and a triple that can be the first that it shares with a near one.
        self._row, self._reach = rows[early], reach[early]
        self._triple = sets.indices[early].astype(np.int64)

    def links(self) -> np.ndarray:
        """Return pairs [p, 2] of near sets that connect each set with all that are near it."""
        self._link_neighbours()
        # First few pairs, which connect most of a dense cluster.
        for width in (1, len(self._sizes)):
            self._link_bundles(width)
        return np.concatenate(self._links)

    def _link_neighbours(self) -> None:
        """Compare sets that are neighbours in a triple's postings."""
        order = np.lexsort((self._component[self._row], self._triple))
        row, triple, reach = self._row[order], self._triple[order], self._reach[order]
        one, other = row[:-1], row[1:]
        fit = (self._sizes[other] <= reach[:-1]) & (self._sizes[one] <= reach[1:])
        fit &= triple[1:] == triple[:-1]
        self._link(one[fit], other[fit])

    def _link_bundles(self, width: int) -> None:
        """Compare each candidate with up to `width` others of a bundle.

        A bundle is the postings of a triple with the same size, reach and component: another is a
        candidate for all of them or for none.
        """
        component, size = self._component[self._row], self._sizes[self._row]
        keys = (component, self._reach, size, self._triple)
        order = np.lexsort(keys)
        start = np.flatnonzero(
            np.any([np.diff(key[order], prepend=-1) != 0 for key in keys], axis=0)
        )
        row, number = self._row[order], np.diff(start, append=len(order))
        for one, other in self._candidates(*(key[order[start]] for key in keys)):
            small, large = np.where(number[one] <= number[other], [one, other], [other, one])
            few = np.minimum(number[large], width)
            for pair, k in _blocks(number[small] * few):
                i, j = np.divmod(k, few[pair])
                self._link(row[start[small[pair]] + i], row[start[large[pair]] + j])

    def _candidates(
        self, component: np.ndarray, reach: np.ndarray, size: np.ndarray, triple: np.ndarray
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield pairs of bundles of different components that are in reach of each other."""
        position = triple * (size.max(initial=0) + 1)
        smallest = self._threshold * size - ROUNDING
        low = np.searchsorted(position + size, position + smallest)
        high = np.searchsorted(position + size, position + np.minimum(size, reach), side="right")
        high = np.minimum(high, np.arange(len(high)))
        for one, k in _blocks((high - low).clip(min=0)):
            other = low[one] + k
            fit = (size[one] <= reach[other]) & (component[one] != component[other])
            yield one[fit], other[fit]

    def _link(self, one: np.ndarray, other: np.ndarray) -> None:
        """Compare pairs of sets, in blocks, and link those that are near and not connected."""
        both = np.stack([one, other])
        stored = np.diff(self._sets.indptr)[both].sum(axis=0)
        blocks = np.cumsum(stored) // STORED
        for pairs in np.split(both, np.flatnonzero(np.diff(blocks)) + 1, axis=1):
            ends = self._component[pairs]
            pairs = np.unique(pairs[:, ends[0] != ends[1]], axis=1)  # some share several triples
            shared = self._sets[pairs[0]].multiply(self._sets[pairs[1]]).sum(axis=1).A1
            near = shared / (self._sizes[pairs].sum(axis=0) - shared) >= self._threshold
            if near.any():
                self._links.append(pairs[:, near].T)
                nodes, ends = len(self._component), self._component[pairs[:, near]]
                graph = coo_matrix((np.ones(near.sum(), bool), tuple(ends)), shape=(nodes, nodes))
                self._component = connected_components(graph, directed=False)[1][self._component]


def _blocks(counts: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield, in blocks, each i with all numbers k below counts[i]."""
    ends = np.cumsum(counts)
    for at in range(0, int(counts.sum()), BLOCK):
        flat = np.arange(at, min(at + BLOCK, ends[-1]))
        i = np.searchsorted(ends, flat, side="right")
        yield i, flat - (ends - counts)[i]
