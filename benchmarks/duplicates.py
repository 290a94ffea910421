"""Near-duplicates among synthetic tweets, and among ten times as many."""

from __future__ import annotations

import numpy as np

from benchmarks.timing import Effort, Line, interleaved, times_as_fast
from pipeline.datasets.duplicates import near_duplicates

TWEETS, TIMES = 10_000, 10
VOCABULARY = 50_000
TEMPLATE = "donate now to help all families who lost their homes at"
PHRASE = "our thoughts and prayers are with all the victims"


def tweets(count: int, seed: int = 0) -> list[str]:
    """Generate tweets that are hard to tell apart; words are as frequent as in Zipf's law.

    Half share a template that is 60 % of their words, a tenth one phrase, and 15 % repeat another
    tweet with up to two words changed.
    """
    rng = np.random.default_rng(seed)
    share = np.cumsum(1 / np.arange(1, VOCABULARY + 1))
    lengths = rng.integers(5, 26, count)
    words = np.searchsorted(share, rng.random(lengths.sum()) * share[-1])
    texts: list[list[str]] = []
    kinds = rng.choice(4, count, p=(0.5, 0.1, 0.15, 0.25))
    for kind, own in zip(kinds, np.split(words, np.cumsum(lengths)[:-1]), strict=True):
        text = [f"w{word}" for word in own]
        if kind == 0:
            text = [*text[:4], *TEMPLATE.split(), *text[4:7]]
        elif kind == 1:
            text[2:2] = PHRASE.split()
        elif kind == 2 and texts:
            changes, text = text[:2], list(texts[rng.integers(len(texts))])
            for word in changes[: rng.integers(3)]:
                text[rng.integers(len(text))] = word
        texts.append(text)
    return [" ".join(text) for text in texts]


def measure(effort: Effort, count: int = TWEETS) -> list[Line]:
    """Time both numbers of tweets in turn; the time must grow about as their number does."""
    few, many = tweets(count), tweets(TIMES * count)
    times = interleaved(
        {"few": lambda: near_duplicates(few), "many": lambda: near_duplicates(many)},
        effort.of_seconds,
        1,
    )
    ratio = times_as_fast(times["few"], times["many"])
    detail = f"{count:,}: {times['few'].median:.2f} s; {TIMES}x: {times['many'].median:.2f} s"
    what = f"near-duplicates: time for {TIMES} times as many tweets"
    return [Line(what, ratio, 2.0 * TIMES, at_least=False, detail=detail)]
