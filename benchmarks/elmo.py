"""ELMo's largest model on tweets, against a plain port of it."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import h5py
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from benchmarks.timing import Effort, Line
from benchmarks.towers import against_plain
from pipeline.extractors import ELMo
from pipeline.extractors.elmo_files import cell_name
from pipeline.extractors.elmo_layers import character_ids
from pipeline.extractors.untrained import write_elmo

TWEETS, WORDS = 256, 20
VOCABULARY = 4000
LEAST = {"float32": 2.0, "bfloat16": 4.0}
BATCH = 32
HIGHWAY = ("W_transform", "b_transform", "W_carry", "b_carry")


class PlainELMo:
    """A straightforward port of ELMo that reads the official files.

    Batches are padded and in file order. Each token and step is computed by itself, with one
    product of input and state per step, as in TensorFlow.
    """

    def __init__(self, options: Path, weights: Path) -> None:
        self.options = json.loads(options.read_text())
        self.tensors: dict[str, Tensor] = {}
        with h5py.File(weights) as file:
            file.visititems(self._keep)

    def _keep(self, name: str, item: object) -> None:
        if isinstance(item, h5py.Dataset):
            self.tensors[name] = torch.from_numpy(np.asarray(item[...], np.float32))

    @torch.inference_mode()
    def embed(self, sentences: Sequence[Sequence[str]]) -> list[np.ndarray]:
        """Return [layers, tokens, dim] for each sentence."""
        results = []
        for start in range(0, len(sentences), BATCH):
            results += self._batch([["<S>", *s, "</S>"] for s in sentences[start : start + BATCH]])
        return results

    def _batch(self, rows: list[list[str]]) -> list[np.ndarray]:
        longest = max(map(len, rows))
        ids = torch.zeros(len(rows), longest, 50, dtype=torch.int64)
        turn = torch.arange(longest).repeat(len(rows), 1)
        for k, row in enumerate(rows):
            ids[k, : len(row)] = torch.from_numpy(character_ids(row))
            turn[k, : len(row)] = torch.arange(len(row) - 1, -1, -1)
        x = self._words(ids.flatten(0, 1)).view(len(rows), longest, -1)
        turned = turn[:, :, None].expand_as(x)
        forward = self._direction(x, 0)
        backward = [layer.gather(1, turned) for layer in self._direction(x.gather(1, turned), 1)]
        joined = torch.stack(
            [torch.cat(pair, dim=2) for pair in zip(forward, backward, strict=True)]
        )
        return [joined[:, k, 1 : len(row) - 1].numpy() for k, row in enumerate(rows)]

    def _words(self, ids: Tensor) -> Tensor:
        characters = F.embedding(ids, F.pad(self.tensors["char_embed"], (0, 0, 1, 0)))
        parts = []
        for k in range(len(self.options["char_cnn"]["filters"])):
            kernel = self.tensors[f"CNN/W_cnn_{k}"][0].permute(2, 1, 0)
            convolved = F.conv1d(characters.transpose(1, 2), kernel, self.tensors[f"CNN/b_cnn_{k}"])
            parts.append(torch.relu(convolved.amax(dim=2)))
        x = torch.cat(parts, dim=1)
        for k in range(self.options["char_cnn"]["n_highway"]):
            w_t, b_t, w_c, b_c = (self.tensors[f"CNN_high_{k}/{name}"] for name in HIGHWAY)
            gate = torch.sigmoid(x @ w_c + b_c)
            x = gate * torch.relu(x @ w_t + b_t) + (1 - gate) * x
        return x @ self.tensors["CNN_proj/W_proj"] + self.tensors["CNN_proj/b_proj"]

    def _direction(self, x: Tensor, direction: int) -> list[Tensor]:
        outputs = [x]
        for layer in range(self.options["lstm"]["n_layers"]):
            y = self._recurrent(outputs[-1], cell_name(direction, layer))
            outputs.append(y + outputs[-1] if layer else y)
        return outputs

    def _recurrent(self, x: Tensor, cell: str) -> Tensor:
        lstm = self.options["lstm"]
        weights, bias, projection = (self.tensors[f"{cell}/{n}"] for n in ("W_0", "B", "W_P_0"))
        h, c = x.new_zeros(len(x), lstm["projection_dim"]), x.new_zeros(len(x), lstm["dim"])
        outputs = []
        for step in x.unbind(1):
            i, j, f, o = (torch.cat([step, h], dim=1) @ weights + bias).chunk(4, dim=1)
            c = torch.sigmoid(i) * torch.tanh(j) + torch.sigmoid(f + 1) * c
            c = c.clamp(-lstm["cell_clip"], lstm["cell_clip"])
            h = (torch.sigmoid(o) * torch.tanh(c)) @ projection
            h = h.clamp(-lstm["proj_clip"], lstm["proj_clip"])
            outputs.append(h)
        return torch.stack(outputs, dim=1)


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
    sentences = tweets(count)
    with tempfile.TemporaryDirectory() as folder:
        files = Path(folder) / "options.json", Path(folder) / "weights.hdf5"
        write_elmo(*files, model=model)
        return against_plain(
            effort,
            lambda precision: f"ELMo {model}, {precision}, against a plain port",
            LEAST,
            lambda precision: partial(
                ELMo.from_files(*files, precision=precision).embed, sentences
            ),
            partial(PlainELMo(*files).embed, sentences),
            error=1e-5,
            cosine=0.999,
        )
