"""ELMo (Peters et al. 2018): words in their sentence to three layers of vectors."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Bool, Float32
from torch import Tensor

from pipeline.extractors.device import require_device
from pipeline.extractors.digest import sha256_of_files
from pipeline.extractors.elmo_characters import character_ids
from pipeline.extractors.elmo_files import read_layers
from pipeline.extractors.elmo_lanes import Lanes, blocks, lay
from pipeline.extractors.elmo_layers import CharacterCNN, RecurrentLayer
from pipeline.extractors.precision import number_type

# Words that the character CNN takes at once; always as many, for the same reason as `LANES`.
WORDS = 64


class ELMo:
    """A bidirectional language model over characters, from AllenNLP's official files.

    Unlike AllenNLP's, which carries the recurrent state from one batch to the next, each sentence
    starts from a fresh state: its vectors depend on nothing else. `dim` is the width of both
    directions together, `digest` the SHA-256 of both files.
    """

    version = "2"

    def __init__(
        self, cnn: CharacterCNN, directions: list[list[RecurrentLayer]], digest: str
    ) -> None:
        self.cnn = cnn
        self.directions = directions
        self.digest = digest
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
        memory cells and all sums are float32 always. Raises ValueError naming file and key.
        """
        kind = number_type(precision)
        cnn, directions = read_layers(options, weights, require_device(device), kind)
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
        for block in blocks([len(row) for row in rows]):
            lanes = lay([rows[index] for index in block])
            layers = self._contextual(vectors, lanes).cpu().numpy()
            for index, (lane, steps) in zip(block, lanes.places, strict=True):
                # The boundaries' own vectors are left out.
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
        """Return every layer of the sentences where they lie."""
        x = vectors[lanes.rows]  # [T, lanes, half]
        forward = _stack(x, self.directions[0], lanes.first)
        # Read backwards, a lane's sentences come from last to first, each beginning at its end.
        turned = _stack(x.flip(0), self.directions[1], lanes.last.flip(0))
        joined = [torch.cat([a, b.flip(0)], dim=2) for a, b in zip(forward, turned, strict=True)]
        return torch.stack(joined)


def _stack(
    x: Float32[Tensor, "T lanes half"], layers: list[RecurrentLayer], first: Bool[Tensor, "T lanes"]
) -> list[Tensor]:
    """Return the input and each layer's output; layers above the first add their input to it."""
    outputs = [x]
    for number, layer in enumerate(layers):
        y = layer(outputs[-1], first)
        outputs.append(y.add_(outputs[-1]) if number else y)
    return outputs
