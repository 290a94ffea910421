"""ELMo's largest model on tweets, against a plain port of it."""

from __future__ import annotations

import tempfile
from functools import partial
from pathlib import Path

import numpy as np

from benchmarks.plain_elmo import PlainELMo
from benchmarks.timing import Effort, Line
from benchmarks.towers import against_plain
from pipeline.extractors import ELMo
from pipeline.extractors.untrained import write_elmo

TWEETS, WORDS = 256, 20
VOCABULARY = 4000
LEAST = {"float32": 2.0, "bfloat16": 4.0}


def tweets(count: int = TWEETS, seed: int = 0) -> list[list[str]]:
    """Generate sentences of about 20 words; few words are frequent, many occur once."""
    rng = np.random.default_rng(seed)
    letters = np.array(list("abcdefghijklmnopqrstuvwxyz"))
    lengths = rng.integers(2, 12, VOCABULARY)
    words = ["".join(rng.choice(letters, length)) for length in lengths]
    share = 1 / np.arange(1, VOCABULARY + 1)
    chosen = [
        rng.choice(VOCABULARY, size, p=share / share.sum())
        for size in rng.normal(WORDS, WORDS / 4, count).round().clip(1, 2 * WORDS).astype(int)
    ]
    return [[words[k] for k in sentence] for sentence in chosen]


def measure(effort: Effort, model: str = "original", count: int = TWEETS) -> list[Line]:
    """Time both precisions and the port in turn on the same tweets."""
    sentences = tweets(count)
    with tempfile.TemporaryDirectory() as folder:
        files = Path(folder) / "options.json", Path(folder) / "weights.hdf5"
        write_elmo(*files, model=model)
        return against_plain(
            effort,
            lambda precision: f"ELMo {model}, {precision}, against a plain port",
            LEAST,
            lambda precision: partial(
                ELMo.from_files(*files, precision=precision).embed, sentences
            ),
            partial(PlainELMo(*files).embed, sentences),
            error=1e-5,
            cosine=0.999,
        )
