"""Clauses from a small grammar: adjective noun verb adjective noun, at some place."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tools.sample.words import NEUTRAL, Words

# The slot of each word in a clause; the other words are always the same.
CLAUSE = ("the", "adjectives", "nouns", "verbs", "some", "adjectives", "nouns")
LINKS = ("in", "near", "around", "at", "from")
LETTERS = tuple("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789")


def pick(options: Sequence[str], rng: np.random.Generator) -> str:
    """Draw one of `options`."""
    return options[int(rng.integers(len(options)))]


def clause(subjects: Sequence[Words], share: float, rng: np.random.Generator) -> str:
    """Write one clause; about `share` of its open words are of `subjects`, the others neutral."""
    words = []
    for slot in CLAUSE:
        if slot in ("the", "some"):
            words.append(slot)
            continue
        on_subject = bool(subjects) and rng.random() < share
        source = subjects[int(rng.integers(len(subjects)))] if on_subject else NEUTRAL
        words.append(pick(getattr(source, slot), rng))
    return " ".join(words)


def tweet(
    subjects: Sequence[Words],
    remark: str | None,
    places: Sequence[str],
    hashtags: Sequence[str],
    rng: np.random.Generator,
) -> str:
    """Write a tweet without its links: two clauses, perhaps a `remark`, a place and a hashtag."""
    first = clause(subjects, 0.75, rng)
    second = clause(subjects, 0.75, rng)
    place = f"{pick(LINKS, rng)} {pick(places, rng)}"
    middle = f", {remark}," if remark else ""
    text = f"{first} {place}{middle} and {second} {pick(hashtags, rng)}"
    return text[0].upper() + text[1:]


def description(subjects: Sequence[Words], rng: np.random.Generator) -> str:
    """Write a clip's description: a neutral clause and one for each subject, in any order."""
    clauses = [clause([], 0.0, rng), *(clause([subject], 1.0, rng) for subject in subjects)]
    text = ", ".join(clauses[i] for i in rng.permutation(len(clauses)))
    return text[0].upper() + text[1:]


def short_link(rng: np.random.Generator) -> str:
    """Draw a link as tweets end with."""
    return "https://t.co/" + "".join(pick(LETTERS, rng) for _ in range(10))


def media_name(rng: np.random.Generator) -> str:
    """Draw the 15 characters that name a photo on Twitter's servers."""
    return "D" + "".join(pick(LETTERS, rng) for _ in range(14))
