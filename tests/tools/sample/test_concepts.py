from __future__ import annotations

import numpy as np
import pytest

from pipeline.datasets.paper_concepts import CONCEPTS
from tools.sample.concepts import BOTH, CUES, EITHER, SINGLE, plan_contents
from tools.sample.youtube import plan_clips

CLIPS = [clip.content for clip in plan_clips(64)]


def bears(cue: tuple[str, str]) -> np.ndarray:
    modality, name = cue
    return np.array([name in getattr(content, modality) for content in CLIPS])


def has(concept: str) -> np.ndarray:
    return np.array([concept in content.concepts for content in CLIPS])


def test_a_clip_has_about_one_and_a_fifth_concepts() -> None:
    counts = [len(content.concepts) for content in CLIPS]
    assert 1.15 <= np.mean(counts) <= 1.25
    assert {0, 1, 2, 3} == set(counts)


def test_every_concept_has_enough_clips() -> None:
    assert all(9 <= has(concept).sum() <= 13 for concept in CONCEPTS)


def test_each_concept_is_told_in_one_way() -> None:
    assert sorted([*SINGLE, *EITHER, *BOTH]) == sorted(CONCEPTS)


@pytest.mark.parametrize("concept", SINGLE)
def test_a_single_cue_is_the_concept(concept: str) -> None:
    assert (bears(SINGLE[concept]) == has(concept)).all()


@pytest.mark.parametrize("concept", EITHER)
def test_either_cue_tells_the_concept_and_neither_always(concept: str) -> None:
    first, second = (bears(cue) for cue in EITHER[concept])
    assert ((first | second) == has(concept)).all()
    assert (first & ~second).any()
    assert (second & ~first).any()


@pytest.mark.parametrize("concept", BOTH)
def test_a_combination_cannot_be_told_from_one_modality(concept: str) -> None:
    first, second = BOTH[concept]
    assert first[0] != second[0]
    present = has(concept)
    assert ((bears(first) & bears(second)) == present).all()
    for cue in (first, second):
        # About every second clip with the cue is one without the concept.
        assert 0.4 <= present[bears(cue)].mean() <= 0.65


def test_no_modality_bears_cues_of_all_concepts() -> None:
    ways = {**{name: (cue,) for name, cue in SINGLE.items()}, **EITHER, **BOTH}
    for modality in CUES:
        assert any(all(cue[0] != modality for cue in cues) for cues in ways.values())


def test_the_plan_depends_on_the_seed_alone() -> None:
    one, two = (plan_contents(20, np.random.default_rng(3)) for _ in range(2))
    assert one == two
    assert plan_contents(20, np.random.default_rng(4)) != one
