"""Clusters of samples that belong together: equal, near-duplicate, or with a shared key."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd
from scipy.sparse import coo_matrix, csr_matrix
from scipy.sparse.csgraph import connected_components
from sklearn.feature_extraction.text import CountVectorizer

from pipeline.ground.letters import WORD

# Measured on five events of CrisisMMD (10,799 texts): at 0.5 there are two pairs, each one message
# reworded; at 0.35 most pairs are different messages of one template.
NEAR = 0.5
SHINGLE = 3

_NOISE = re.compile(rf"https?://\S*|\bRT\b|@{WORD}+|(?!{WORD})\S|_")
# What nobody sees within a word: soft hyphen, joiners, byte-order mark.
_INVISIBLE = re.compile(r"[\xad\u200c\u200d\u2060\ufeff]")


def normalise(text: str) -> str:
    """Reduce a tweet to its words: no links, retweet marks, mentions, punctuation or case.

    Equal are also the forms of one letter in Unicode, composed or with a combining mark.
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
    """Find pairs [p, 2] of texts whose sets of word triples overlap (Jaccard >= threshold)."""
    unique, inverse = np.unique([normalise(text) for text in texts], return_inverse=True)
    first = np.zeros(len(unique), int)
    first[inverse[::-1]] = np.arange(len(texts))[::-1]
    incidence = _shingles(list(unique))
    shared = (incidence @ incidence.T).tocoo()
    sizes = np.asarray(incidence.sum(axis=1)).ravel()
    jaccard = shared.data / (sizes[shared.row] + sizes[shared.col] - shared.data)
    near = (shared.row < shared.col) & (jaccard >= threshold)
    return np.stack([first[shared.row[near]], first[shared.col[near]]], axis=1)


def _shingles(texts: list[str]) -> csr_matrix:
    """Count the word triples (columns) of each text (row)."""
    if not any(len(text.split()) >= SHINGLE for text in texts):
        return csr_matrix((len(texts), 1), dtype=np.int32)  # the vectorizer refuses to find none
    triples = CountVectorizer(
        ngram_range=(SHINGLE, SHINGLE),
        token_pattern=r"\S+",
        lowercase=False,
        binary=True,
        dtype=np.int32,
    )
    return triples.fit_transform(texts)
