"""ELMo's largest model on tweets, against a plain port of it."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np

from benchmarks.cosine import cosines
from benchmarks.plain_elmo import PlainELMo
from benchmarks.section import Effort, cpu_has_bfloat16
from benchmarks.timing import Line, Times, against_plain, interleaved
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
    with tempfile.TemporaryDirectory() as folder:
        files = Path(folder) / "options.json", Path(folder) / "weights.hdf5"
        write_elmo(*files, model=model)
        plain = PlainELMo(*files)
        ours = {name: ELMo.from_files(*files, precision=name) for name in _precisions()}
    sentences = tweets(count)
    work = {
        name: lambda network=network: network.embed(sentences) for name, network in ours.items()
    }
    times = interleaved(work | {"plain": lambda: plain.embed(sentences)}, effort.of_seconds, 1)
    expected = plain.embed(sentences)
    return [
        _line(name, model, times, ours[name].embed(sentences), expected)
        if name in ours
        else Line(_what(name, model), None, least, at_least=True, detail="CPU has no bf16")
        for name, least in LEAST.items()
    ]


def _precisions() -> list[str]:
    return [name for name in LEAST if name == "float32" or cpu_has_bfloat16()]


def _what(precision: str, model: str) -> str:
    return f"ELMo {model}, {precision}, against a plain port"


def _line(
    precision: str,
    model: str,
    times: dict[str, Times],
    vectors: list[np.ndarray],
    expected: list[np.ndarray],
) -> Line:
    both = list(zip(vectors, expected, strict=True))
    if precision == "float32":
        error = max(float(np.abs(a - b).max(initial=0)) for a, b in both)
        error /= max(float(np.abs(b).max(initial=0)) for b in expected)
        agreement, exact = f"equal to {error:.1e} of the largest", error <= 1e-5
    else:
        cosine = min(float(cosines(a, b).min(initial=1)) for a, b in both)
        agreement, exact = f"cosine {cosine:.5f} on untrained weights", cosine > 0.999
    what, least = _what(precision, model), LEAST[precision]
    return against_plain(what, least, times[precision], times["plain"], agreement, exact)
