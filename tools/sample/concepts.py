"""Cues of each clip in picture, sound and text, and the seven concepts that follow from them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

# The paper's seven concepts, in the order of its Table V.
CONCEPTS = (
    "demonstration",
    "emergency_response",
    "flood_storm",
    "human_relief",
    "damage",
    "victim",
    "briefing",
)
# Cues by modality. `rain` is uninformative: it occurs as often without any concept as with one.
CUES = {
    "visual": ("crowd", "water", "ruin", "parcels"),
    "audio": ("chant", "siren", "speech", "weeping", "rain"),
    "text": ("official", "relief", "ruin", "injury"),
}
Cue = tuple[str, str]

# Concepts with one cue, which is only audible or only visible.
SINGLE: dict[str, Cue] = {
    "emergency_response": ("audio", "siren"),
    "flood_storm": ("visual", "water"),
}
# Concepts with two cues, each of which is sometimes left out.
EITHER: dict[str, tuple[Cue, Cue]] = {
    "human_relief": (("text", "relief"), ("visual", "parcels")),
    "damage": (("visual", "ruin"), ("text", "ruin")),
    "victim": (("audio", "weeping"), ("text", "injury")),
}
# Concepts that need both cues: each of the two occurs as often without the other.
BOTH: dict[str, tuple[Cue, Cue]] = {
    "demonstration": (("visual", "crowd"), ("audio", "chant")),
    "briefing": (("audio", "speech"), ("text", "official")),
}

# Positives of a concept in 64 clips: seven times 11 are 1.2 concepts a clip, the paper's density.
POSITIVES, OF = 11, 64
# Shares of an EITHER concept's clips on which only the first, only the second, both cues occur.
EITHER_SHARES = (3, 3, 5)
# A lone cue of a BOTH concept occurs in this many clips for each that has both.
LONE = 0.8
MOST = 3  # concepts of one clip


@dataclass(frozen=True)
class Content:
    """What one clip contains: its cues by modality, and its concepts."""

    visual: tuple[str, ...]
    audio: tuple[str, ...]
    text: tuple[str, ...]
    concepts: frozenset[str]


def plan_contents(clips: int, rng: np.random.Generator) -> list[Content]:
    """Plan the content of `clips` clips.

    Each concept is given to an equal number of clips, drawn apart from the others, with at most
    three a clip; then lone cues are given to clips without the concept.
    """
    concepts = _spread_concepts(clips, rng)
    cues: list[set[Cue]] = [set() for _ in range(clips)]
    for concept in CONCEPTS:
        holders = [i for i in range(clips) if concept in concepts[i]]
        _add_cues(cues, concept, holders, rng)
    for pair in BOTH.values():
        _add_lone_cues(cues, pair, rng)
    for i in rng.permutation(clips)[: clips // 4]:
        cues[i].add(("audio", "rain"))
    return [_content(cues[i], concepts[i]) for i in range(clips)]


def _spread_concepts(clips: int, rng: np.random.Generator) -> list[set[str]]:
    concepts: list[set[str]] = [set() for _ in range(clips)]
    for concept in CONCEPTS:
        free = [i for i in rng.permutation(clips) if len(concepts[i]) < MOST]
        for i in free[: max(1, round(clips * POSITIVES / OF))]:
            concepts[i].add(concept)
    return concepts


def _add_cues(
    cues: list[set[Cue]], concept: str, holders: list[int], rng: np.random.Generator
) -> None:
    shuffled = [holders[i] for i in rng.permutation(len(holders))]
    for place, i in enumerate(shuffled):
        if concept in SINGLE:
            cues[i].add(SINGLE[concept])
        elif concept in BOTH:
            cues[i].update(BOTH[concept])
        else:
            first, second = EITHER[concept]
            kind = place % sum(EITHER_SHARES)
            if kind < EITHER_SHARES[0] or kind >= EITHER_SHARES[0] + EITHER_SHARES[1]:
                cues[i].add(first)
            if kind >= EITHER_SHARES[0]:
                cues[i].add(second)


def _add_lone_cues(cues: list[set[Cue]], pair: tuple[Cue, Cue], rng: np.random.Generator) -> None:
    without = [i for i in rng.permutation(len(cues)) if pair[0] not in cues[i]]
    count = max(1, round((len(cues) - len(without)) * LONE))
    for i in without[:count]:
        cues[i].add(pair[0])
    for i in without[count : 2 * count]:
        cues[i].add(pair[1])


def _content(cues: set[Cue], concepts: set[str]) -> Content:
    of: Mapping[str, tuple[str, ...]] = {
        modality: tuple(cue for cue in names if (modality, cue) in cues)
        for modality, names in CUES.items()
    }
    return Content(of["visual"], of["audio"], of["text"], frozenset(concepts))
