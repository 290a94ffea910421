"""What the decided classes lose if a step, a word or a region of a photo is removed.

Each part is removed alone: of two that say the same, neither lowers the probability, since the
other remains.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from torch import from_numpy

from pipeline.evaluation.scores import HALF, decide
from pipeline.explanation.probabilities import joined, mean_probabilities
from pipeline.extractors.tokens import TOKEN
from pipeline.mtl import Task
from pipeline.training.examples import Batch
from pipeline.training.model import ModelSpec
from pipeline.training.predict import InDouble
from pipeline.training.readers import pad

BATCH = 64  # variants of a sample that the networks take at once
GRID = 7  # regions along each side of a photo: patches of 32 x 32 at 224 x 224
GREY = 128
_PART = re.compile(rf"&[#]?\w+; | {TOKEN.pattern}", re.VERBOSE)  # an entity is one mark

Drops = dict[str, np.ndarray]  # task -> what its class loses with each variant


@dataclass(frozen=True)
class Sample:
    """One sample, the networks that judge it, and the class of each task that is explained.

    `features[m]` is [length, d_m] for every modality of the networks, of length 0 if absent.
    """

    members: Sequence[InDouble]
    tasks: Sequence[Task]
    features: Mapping[str, np.ndarray]
    classes: Mapping[str, int]

    @classmethod
    def of(
        cls,
        members: Sequence[InDouble],
        spec: ModelSpec,
        features: Mapping[str, np.ndarray],
        thresholds: Mapping[str, float] | None = None,
    ) -> Sample:
        """Explain the decided classes: those at `thresholds`, by default one half.

        Modalities that are not in `features` are absent.
        """
        absent = {name: np.zeros((0, dim), np.float32) for name, dim in spec.modalities.items()}
        features = {name: features.get(name, absent[name]) for name in absent}
        thresholds = thresholds or {}
        p = cls(members, spec.tasks, features, {}).predict([features])
        classes = {
            task.name: int(decide(task, p[task.name], thresholds.get(task.name, HALF))[0])
            for task in spec.tasks
        }
        return cls(members, spec.tasks, features, classes)

    def predict(self, variants: Sequence[Mapping[str, np.ndarray]]) -> dict[str, np.ndarray]:
        """Return the probabilities [variants, classes] of each task for other features."""
        sequences = {name: [variant[name] for variant in variants] for name in self.features}
        rows = np.arange(len(variants))
        batches = [rows[start : start + BATCH] for start in range(0, len(rows), BATCH)]
        return joined(self._probabilities(sequences, batch) for batch in batches)

    def _probabilities(
        self, sequences: Mapping[str, list[np.ndarray]], rows: np.ndarray
    ) -> dict[str, np.ndarray]:
        padded = pad(sequences, rows)
        x = {name: from_numpy(values) for name, (values, _) in padded.items()}
        lengths = {name: from_numpy(counts) for name, (_, counts) in padded.items()}
        return mean_probabilities(self.members, Batch(x, lengths, {}), self.tasks)

    def with_variants(self, modality: str, variants: Sequence[np.ndarray]) -> dict[str, np.ndarray]:
        """Return each class's probability [variants] with another sequence of one modality."""
        p = self.predict([{**self.features, modality: variant} for variant in variants])
        return {name: p[name][:, code] for name, code in self.classes.items()}

    def drops(self, modality: str, variants: Sequence[np.ndarray]) -> Drops:
        """Return by how much the variants [length, d_m] lower each class's probability."""
        p = self.with_variants(modality, [self.features[modality], *variants])
        return {name: values[0] - values[1:] for name, values in p.items()}


def step_drops(sample: Sample, modality: str) -> Drops:
    """Remove each step of a sequence of features alone: drops [length].

    The features of the other steps stay as they are, even if the encoder computed them from this
    one too. Without its only step the modality is absent.
    """
    x = sample.features[modality]
    return sample.drops(modality, [np.delete(x, step, axis=0) for step in range(len(x))])


def second_drops(sample: Sample, modality: str, seconds: np.ndarray) -> tuple[np.ndarray, Drops]:
    """Remove all steps of each second: the seconds that have a step, ascending, and their drops.

    Neighbouring frames repeat each other, so removing one of them alone changes little. `seconds`
    [length] is the time of each step.
    """
    whole = np.floor(seconds).astype(int)
    present = np.unique(whole)
    x = sample.features[modality]
    return present, sample.drops(modality, [x[whole != second] for second in present])


def region_drops(
    sample: Sample,
    modality: str,
    picture: np.ndarray,
    encode: Callable[[np.ndarray], np.ndarray],
    step: int = 0,
) -> Drops:
    """Cover each region of a picture, the sample's features of `step`, with grey: drops [7, 7].

    `encode` maps pictures, uint8 [n, height, width, 3] as the encoder prepared them, to features
    [n, d_m]. A patch is a seventh of each side.
    """
    x = sample.features[modality]
    variants = [
        np.concatenate([x[:step], features[None], x[step + 1 :]])
        for features in encode(grey_patches(picture))
    ]
    drops = sample.drops(modality, variants)
    return {name: values.reshape(GRID, GRID) for name, values in drops.items()}


def grey_patches(picture: np.ndarray) -> np.ndarray:
    """Copy a picture [height, width, 3] 49 times, each with another patch covered, row by row."""
    rows, columns = (np.linspace(0, size, GRID + 1).astype(int) for size in picture.shape[:2])
    covered = np.repeat(picture[None], GRID * GRID, axis=0)
    for patch, copy in enumerate(covered):
        r, c = divmod(patch, GRID)
        copy[rows[r] : rows[r + 1], columns[c] : columns[c + 1]] = GREY
    return covered


def word_drops(
    sample: Sample,
    modality: str,
    text: str,
    encode: Callable[[Sequence[str]], Sequence[np.ndarray]],
) -> tuple[list[str], Drops]:
    """Leave each word and punctuation mark out of a text: the words, and drops [words].

    `encode` maps texts to features [tokens, d_m], of length 0 for a text without a word.
    """
    words, texts = leave_one_out(text)
    return words, sample.drops(modality, encode(texts) if texts else [])


def leave_one_out(text: str) -> tuple[list[str], list[str]]:
    """Return the words and punctuation marks of a text, and the text without each of them.

    The rest of the text stays as it is, since an encoder may not read `&amp;` as it reads `&`.

    >>> leave_one_out("Flood &amp; fire")
    (['Flood', '&', 'fire'], ['  &amp; fire', 'Flood   fire', 'Flood &amp;  '])
    """
    spans = [match.span() for match in _PART.finditer(text)]
    words = [html.unescape(text[start:end]) for start, end in spans]
    return words, [f"{text[:start]} {text[end:]}" for start, end in spans]
