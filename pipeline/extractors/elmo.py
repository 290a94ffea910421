"""ELMo (Peters et al. 2018): words in their sentence to three layers of vectors."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Float32, Int
from torch import Tensor

from pipeline.extractors.digest import sha256_of_files
from pipeline.extractors.elmo_characters import character_ids
from pipeline.extractors.elmo_files import read_layers
from pipeline.extractors.elmo_layers import CharacterCNN, RecurrentLayer

# Rows of every matrix product. Always as many, filled up with padding: a product's last bit can
# change with its number of rows, and then a sentence's vectors with the sentences beside it.
SENTENCES, WORDS = 16, 64


class ELMo:
    """A bidirectional language model over characters, from AllenNLP's official files.

    Unlike AllenNLP's, which carries the recurrent state from one batch to the next, each sentence
    starts from a fresh state: its vectors depend on nothing else. `dim` is the width of both
    directions together, `digest` the SHA-256 of both files.
    """

    version = "1"

    def __init__(
        self, cnn: CharacterCNN, directions: list[list[RecurrentLayer]], digest: str
    ) -> None:
        self.cnn = cnn
        self.directions = directions
        self.digest = digest
        self.dim = 2 * cnn.b_projection.shape[0]
        self.layers = 1 + len(directions[0])

    @classmethod
    def from_files(cls, options: str | Path, weights: str | Path) -> ELMo:
        """Load the official options.json and weights.hdf5 (small, medium, original, 5.5B).

        Raises ValueError naming file and key.
        """
        cnn, directions = read_layers(options, weights)
        return cls(cnn, directions, sha256_of_files(options, weights))

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
        for block in _blocks(rows):
            layers = self._contextual(vectors, [rows[index] for index in block])
            for place, index in enumerate(block):
                # The boundaries' own vectors are left out.
                results[index] = layers[:, place, 1 : len(rows[index]) - 1].numpy().copy()
        return results

    def _word_vectors(self, words: list[str]) -> Float[Tensor, "words half"]:
        """Run the character CNN once for each distinct word."""
        ids = torch.from_numpy(character_ids(words + [""] * (-len(words) % WORDS)))
        return torch.cat([self.cnn(block) for block in ids.split(WORDS)])[: len(words)]

    def _contextual(
        self, vectors: Float[Tensor, "words half"], rows: list[list[int]]
    ) -> Float[Tensor, "layers sentences steps dim"]:
        """Return every layer of up to `SENTENCES` sentences, padded at the end."""
        index, backwards = _padded(rows)
        x = vectors[index]  # [T, S, half]
        forward = _stack(x, self.directions[0])
        # Read backwards, a sentence still begins at step 0, so padding never comes first.
        turned = _stack(_turn(x, backwards), self.directions[1])
        backward = [_turn(layer, backwards) for layer in turned]
        joined = [torch.cat(pair, dim=2) for pair in zip(forward, backward, strict=True)]
        return torch.stack(joined).transpose(1, 2)


def _blocks(rows: list[list[int]]) -> Iterator[list[int]]:
    """Group sentences (their indices) of near lengths, `SENTENCES` at a time."""
    order = sorted(range(len(rows)), key=lambda index: len(rows[index]))
    for start in range(0, len(order), SENTENCES):
        yield order[start : start + SENTENCES]


def _padded(rows: list[list[int]]) -> tuple[Int[Tensor, "T S"], Int[Tensor, "T S"]]:
    """Return word indices and, for each step, the step that mirrors it within its sentence."""
    steps = max(map(len, rows))
    index = torch.zeros(steps, SENTENCES, dtype=torch.int64)
    mirror = torch.arange(steps)[:, None].repeat(1, SENTENCES)
    for place, row in enumerate(rows):
        index[: len(row), place] = torch.tensor(row)
        mirror[: len(row), place] = torch.arange(len(row) - 1, -1, -1)
    return index, mirror


def _turn(x: Float[Tensor, "T S half"], mirror: Int[Tensor, "T S"]) -> Float[Tensor, "T S half"]:
    return x.gather(0, mirror[:, :, None].expand_as(x))


def _stack(x: Float[Tensor, "T S half"], layers: list[RecurrentLayer]) -> list[Tensor]:
    """Return the input and each layer's output; layers above the first add their input to it."""
    outputs = [x]
    for number, layer in enumerate(layers):
        y = layer(outputs[-1])
        outputs.append(y + outputs[-1] if number else y)
    return outputs
