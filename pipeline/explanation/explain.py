"""One sample's decisions, explained in every way there is."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from pipeline.explanation.network_weights import attention_weights, vertex_weights
from pipeline.explanation.occlusion import (
    Drops,
    Sample,
    region_drops,
    second_drops,
    step_drops,
    word_drops,
)
from pipeline.explanation.shapley import coalition_probabilities, shapley_values
from pipeline.mtl import Task
from pipeline.training.examples import Examples
from pipeline.training.model import ModelSpec
from pipeline.training.predict import InDouble


@dataclass(frozen=True)
class Post:
    """A sample's features, and the text and photos they came from, which can be varied.

    `features[m]` is [length, d_m], also for an encoder that averages the steps; other modalities
    are absent. `encode_texts` maps texts to [tokens, d], of length 0 without a word. `photos`,
    uint8 [n, height, width, 3] as the encoder prepared them, are the steps of "visual", and
    `encode_pictures` maps such pictures to [n, d]. `seconds[m]` [length] is the time of each step
    of a clip's sequence. Without an encoder, words or regions are not explained.
    """

    features: Mapping[str, np.ndarray]
    text: str | None = None
    encode_texts: Callable[[Sequence[str]], Sequence[np.ndarray]] | None = None
    photos: np.ndarray | None = None
    encode_pictures: Callable[[np.ndarray], np.ndarray] | None = None
    seconds: Mapping[str, np.ndarray] = field(default_factory=dict)


@dataclass(frozen=True)
class Explanation:
    """Why the networks decide each task's class as they do; drops are those of its `probability`.

    `nothing` is its probability without any input, and `shapley` what each modality adds to that: 0
    for those that are not `present`. `vertices` and `attention` are tables of `network_weights`.
    `words` stand in the order of the text; `steps` has the drops of each sequence with more than
    one step, `spans` those of each whole second where steps have times, `regions` a grid a photo.
    """

    tasks: Sequence[Task]
    classes: Mapping[str, int]
    probability: dict[str, float]
    nothing: dict[str, float]
    present: list[str]
    shapley: dict[str, dict[str, float]]
    vertices: pd.DataFrame
    attention: pd.DataFrame
    words: list[str]
    word_drops: Drops
    steps: dict[str, Drops]
    seconds: Mapping[str, np.ndarray]
    spans: dict[str, tuple[np.ndarray, Drops]]
    regions: list[Drops]


def explain(
    members: Sequence[InDouble],
    spec: ModelSpec,
    post: Post,
    thresholds: Mapping[str, float] | None = None,
) -> Explanation:
    """Explain the classes that the networks decide for a post, at `thresholds` or one half.

    `members` are the model's networks, see `in_double`.
    """
    sample = Sample.of(members, spec, post.features, thresholds)
    one, row = _as_examples(sample), np.array([0])
    values = coalition_probabilities(members, spec, one, row)
    games = {name: values[name][..., code] for name, code in sample.classes.items()}
    present = [name for name in sorted(spec.modalities) if len(sample.features[name])]
    words, drops = _words(sample, post)
    sequences = [name for name in present if _has_sequence(sample, post, name)]
    timed = [name for name in sequences if name in post.seconds]
    return Explanation(
        tasks=spec.tasks,
        classes=sample.classes,
        probability={name: float(game[0, -1]) for name, game in games.items()},
        nothing={name: float(game[0, 0]) for name, game in games.items()},
        present=present,
        shapley={name: _shares(spec, game) for name, game in games.items()},
        vertices=vertex_weights(members, one, row),
        attention=attention_weights(members, spec, one, row),
        words=words,
        word_drops=drops,
        steps={name: step_drops(sample, name) for name in sequences},
        seconds=post.seconds,
        spans={name: second_drops(sample, name, post.seconds[name]) for name in timed},
        regions=_regions(sample, post),
    )


def _as_examples(sample: Sample) -> Examples:
    sequences = {name: [array] for name, array in sample.features.items()}
    return Examples(["post"], np.array(["test"]), sequences, {})


def _shares(spec: ModelSpec, game: np.ndarray) -> dict[str, float]:
    return dict(zip(sorted(spec.modalities), shapley_values(game)[0].tolist(), strict=True))


def _has_sequence(sample: Sample, post: Post, modality: str) -> bool:
    """Photos and words have explanations of their own, closer to what a person sees."""
    own = (modality == "text" and post.encode_texts) or (
        modality == "visual" and post.photos is not None
    )
    return len(sample.features[modality]) > 1 and not own


def _words(sample: Sample, post: Post) -> tuple[list[str], Drops]:
    if post.text is None or post.encode_texts is None or not len(sample.features.get("text", ())):
        return [], {name: np.zeros(0) for name in sample.classes}
    return word_drops(sample, "text", post.text, post.encode_texts)


def _regions(sample: Sample, post: Post) -> list[Drops]:
    if post.photos is None or post.encode_pictures is None or "visual" not in sample.features:
        return []
    return [
        region_drops(sample, "visual", picture, post.encode_pictures, step)
        for step, picture in enumerate(post.photos)
    ]
