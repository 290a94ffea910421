"""ELMo (Peters et al. 2018): three layers of vectors for the words of a sentence.

Sentences of all lengths are put end to end in 64 lanes, so that every step of the recurrent layers
multiplies the same number of rows. Padding each sentence to the longest of its batch would waste a
third of the time.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from heapq import heapify, heapreplace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from jaxtyping import Bool, Float32, Int
from torch import Tensor

from pipeline.extractors.device import PRECISIONS, require_device
from pipeline.extractors.elmo_files import check_model, read_layers, read_options
from pipeline.extractors.elmo_layers import CharacterCNN, RecurrentLayer, character_ids
from pipeline.extractors.encoder import Identity, Origin, Run, identity_of
from pipeline.extractors.tokens import tokenize
from pipeline.extractors.weights import given, members, published, seeded
from pipeline.runtime import device

OPTIONS, WEIGHTS = "elmo_options.json", "elmo_weights.hdf5"

# Rows of every matrix product, and words that the character CNN takes at once. Both are constant:
# the last bit of a product can change with its number of rows, and a sentence's vectors would then
# depend on the other sentences.
LANES = 64
WORDS = 64

# Steps of one block of lanes, more if a sentence is longer. This bounds the memory.
STEPS = 128


class ELMo:
    """A bidirectional language model over characters, from AllenNLP's official files.

    AllenNLP carries the recurrent state from one batch to the next; here each sentence starts from
    a fresh state, so its vectors depend on nothing else. `dim` is the width of both directions.
    """

    version = "3"

    def __init__(self, cnn: CharacterCNN, directions: list[list[RecurrentLayer]]) -> None:
        self.cnn = cnn
        self.directions = directions
        self.dim = 2 * cnn.b_projection.shape[0]
        self.layers = 1 + len(directions[0])

    @classmethod
    def from_files(
        cls,
        options: str | Path,
        weights: str | Path,
        device: str = "cpu",
        precision: str = "float32",
    ) -> ELMo:
        """Load the official options.json and weights.hdf5 (small, medium, original, 5.5B).

        `device` is cpu or cuda; `precision`, float32 or bfloat16, is that of matrix products: the
        memory cells and all sums are always float32. Raises ValueError naming file and key.
        """
        kind = PRECISIONS[precision]
        return cls(*read_layers(Path(options), Path(weights), require_device(device), kind))

    @torch.inference_mode()
    def embed(
        self, sentences: Sequence[Sequence[str]]
    ) -> list[Float32[np.ndarray, "layers tokens dim"]]:
        """Return [layers, tokens, dim] for each sentence, a list of words; the lowest layer first.

        Layer 0 is the character CNN's vector, twice; the others join both directions. Sentences
        may be empty. Words are cut after 48 UTF-8 bytes, as in the original.
        """
        words = sorted({"<S>", "</S>"}.union(*sentences))
        vocabulary = {word: row for row, word in enumerate(words)}
        vectors = self._word_vectors(words)
        rows = [[vocabulary[w] for w in ("<S>", *sentence, "</S>")] for sentence in sentences]
        results = [np.zeros((self.layers, 0, self.dim), np.float32)] * len(rows)
        for block in blocks([len(row) for row in rows]):
            lanes = fill_lanes([rows[index] for index in block])
            layers = self._contextual(vectors, lanes).cpu().numpy()
            for index, (lane, steps) in zip(block, lanes.places, strict=True):
                # Without the vectors of the boundaries.
                results[index] = layers[:, steps.start + 1 : steps.stop - 1, lane].copy()
        return results

    def _word_vectors(self, words: list[str]) -> Float32[Tensor, "words half"]:
        """Run the character CNN once for each distinct word."""
        ids = torch.from_numpy(character_ids(words + [""] * (-len(words) % WORDS)))
        ids = ids.to(self.cnn.embedding.device)
        return torch.cat([self.cnn(block) for block in ids.split(WORDS)])[: len(words)]

    def _contextual(
        self, vectors: Float32[Tensor, "words half"], lanes: Lanes
    ) -> Float32[Tensor, "layers T lanes dim"]:
        """Return every layer of the sentences in their lanes."""
        x = vectors[lanes.rows]  # [T, lanes, half]
        forward = _stack(x, self.directions[0], lanes.first)
        # Backwards, a lane's sentences come from last to first, each beginning at its end.
        backward = _stack(x.flip(0), self.directions[1], lanes.last.flip(0))
        joined = [torch.cat([a, b.flip(0)], dim=2) for a, b in zip(forward, backward, strict=True)]
        return torch.stack(joined)


@dataclass(frozen=True)
class ELMoEncoder:
    """ELMo as an encoder of words: [words, dim], one layer or the average of the three."""

    folder: Path
    layer: str = "average"
    precision: str = "float32"
    version: ClassVar[str] = ELMo.version
    batch: ClassVar[int] = 256
    gpu: ClassVar[bool] = True
    # A tweet has at most 280 characters; of a longer description the beginning is used.
    longest: ClassVar[int] = 200

    @classmethod
    def obtain(cls, source: str, weights: str, folder: Path) -> Origin:
        """See Encoder; `source` is the model's size, `weights` may be a folder with both files."""
        if weights == "untrained":
            # Here: it imports all the networks, which takes a worker a second.
            from pipeline.extractors.untrained import write_elmo

            write_elmo(folder / OPTIONS, folder / WEIGHTS, model=source)
            return seeded("elmo")
        if weights == "pretrained":
            names = f"elmo_{source}_options", f"elmo_{source}_weights"
            files, origin = published("elmo", *names)
        else:
            files = members(weights, "*options.json", "*weights.hdf5")
            origin = given("elmo", *files)
        options, values = files
        check_model(options, values, source)
        for file, name in zip(files, (OPTIONS, WEIGHTS), strict=True):
            shutil.copyfile(file, folder / name)
        return origin

    @classmethod
    def of(cls, folder: Path, params: Any) -> ELMoEncoder:
        """See Encoder."""
        return cls(folder, params.layer, params.precision)

    @property
    def dim(self) -> int:
        """See Encoder."""
        return 2 * read_options(self.folder / OPTIONS).lstm.projection_dim

    def identity(self) -> Identity:
        """See Encoder."""
        return identity_of(self, "elmo", layer=self.layer, precision=self.precision)

    def prepare(self, raw: str) -> list[str]:
        """See Encoder."""
        return tokenize(raw)

    def load(self) -> Run:
        """See Encoder."""
        files = self.folder / OPTIONS, self.folder / WEIGHTS
        network = ELMo.from_files(*files, device(), self.precision)
        return lambda inputs: [self._pick(layers) for layers in network.embed(inputs)]

    def _pick(self, layers: Float32[np.ndarray, "layers tokens dim"]) -> np.ndarray:
        return layers[-1] if self.layer == "top" else layers.mean(axis=0)


def _stack(
    x: Float32[Tensor, "T lanes half"], layers: list[RecurrentLayer], first: Bool[Tensor, "T lanes"]
) -> list[Tensor]:
    """Return the input and each layer's output; layers above the first add their input to it."""
    outputs = [x]
    for number, layer in enumerate(layers):
        y = layer(outputs[-1], first)
        outputs.append(y.add_(outputs[-1]) if number else y)
    return outputs


@dataclass(frozen=True)
class Lanes:
    """Rows of sentences in lanes: T steps, `LANES` lanes; row 0 where there is no sentence.

    `first` and `last` mark where a sentence begins and ends; `places` holds each sentence's lane
    and steps.
    """

    rows: Int[Tensor, "T lanes"]
    first: Bool[Tensor, "T lanes"]
    last: Bool[Tensor, "T lanes"]
    places: list[tuple[int, slice]]


def fill_lanes(sentences: Sequence[Sequence[int]]) -> Lanes:
    """Append each sentence, the longest first, to the shortest lane."""
    ends = [(0, lane) for lane in range(LANES)]
    heapify(ends)
    places = []
    for sentence in sentences:
        start, lane = ends[0]
        heapreplace(ends, (start + len(sentence), lane))
        places.append((lane, slice(start, start + len(sentence))))
    shape = (max(end for end, _ in ends), LANES)
    rows = torch.zeros(shape, dtype=torch.int64)
    first, last = torch.zeros(shape, dtype=torch.bool), torch.zeros(shape, dtype=torch.bool)
    for sentence, (lane, steps) in zip(sentences, places, strict=True):
        rows[steps, lane] = torch.tensor(sentence)
        first[steps.start, lane] = last[steps.stop - 1, lane] = True
    return Lanes(rows, first, last, places)


def blocks(lengths: Sequence[int]) -> Iterator[list[int]]:
    """Split sentences (their indices) into blocks for `fill_lanes`, longest first."""
    block: list[int] = []
    tokens = limit = 0
    for index in sorted(range(len(lengths)), key=lambda index: -lengths[index]):
        if block and tokens + lengths[index] > limit:
            yield block
            block, tokens = [], 0
        if not block:
            limit = LANES * max(STEPS, lengths[index])
        block.append(index)
        tokens += lengths[index]
    if block:
        yield block
