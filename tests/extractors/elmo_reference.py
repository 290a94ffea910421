"""ELMo written down plainly in NumPy: word by word, cell by cell, straight from the file."""

from __future__ import annotations

import json
from pathlib import Path

import h5py
import numpy as np

State = dict[tuple[int, int], tuple[np.ndarray, np.ndarray]]


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


class Reference:
    def __init__(self, options: Path, weights: Path) -> None:
        self.options = json.loads(options.read_text())
        self.tensors: dict[str, np.ndarray] = {}
        with h5py.File(weights) as file:
            file.visititems(self._keep)

    def _keep(self, name: str, item: object) -> None:
        if isinstance(item, h5py.Dataset):
            self.tensors[name] = item[...].astype(np.float64)

    def word(self, word: str) -> np.ndarray:
        special = {"<S>": [256], "</S>": [257]}
        inner = special.get(word, list(word.encode("utf-8", "ignore"))[:48])
        symbols = [258, *inner, 259]
        symbols += [260] * (50 - len(symbols))
        characters = self.tensors["char_embed"][symbols]
        parts = []
        for k, (width, _) in enumerate(self.options["char_cnn"]["filters"]):
            kernel = self.tensors[f"CNN/W_cnn_{k}"][0]  # [width, in, out]
            windows = [
                np.einsum("wi,wio->o", characters[start : start + width], kernel)
                for start in range(50 - width + 1)
            ]
            parts.append(np.maximum(np.max(windows, axis=0) + self.tensors[f"CNN/b_cnn_{k}"], 0))
        x = np.concatenate(parts)
        for k in range(self.options["char_cnn"]["n_highway"]):
            high = {n.split("/")[1]: t for n, t in self.tensors.items() if f"CNN_high_{k}/" in n}
            gate = sigmoid(x @ high["W_carry"] + high["b_carry"])
            x = gate * np.maximum(x @ high["W_transform"] + high["b_transform"], 0) + (1 - gate) * x
        return x @ self.tensors["CNN_proj/W_proj"] + self.tensors["CNN_proj/b_proj"]

    def sentence(self, words: list[str], state: State | None = None) -> np.ndarray:
        """Return [layers, tokens, dim]; begins from `state` and leaves the last one there."""
        state = {} if state is None else state
        x = np.stack([self.word(word) for word in ("<S>", *words, "</S>")])
        joined = []
        for direction in (0, 1):
            outputs = [x[::-1] if direction else x]
            for layer in range(self.options["lstm"]["n_layers"]):
                y = self._layer(outputs[-1], direction, layer, state)
                outputs.append(y + outputs[-1] if layer else y)
            joined.append([o[::-1] if direction else o for o in outputs])
        return np.concatenate([np.stack(j) for j in joined], axis=2)[:, 1:-1]

    def _layer(self, x: np.ndarray, direction: int, layer: int, state: State) -> np.ndarray:
        lstm = self.options["lstm"]
        cell = f"RNN_{direction}/RNN/MultiRNNCell/Cell{layer}/LSTMCell"
        weights, bias, projection = (self.tensors[f"{cell}/{n}"] for n in ("W_0", "B", "W_P_0"))
        fresh = np.zeros(lstm["projection_dim"]), np.zeros(lstm["dim"])
        h, c = state.get((direction, layer), fresh)
        outputs = []
        for step in x:
            i, j, f, o = np.split(np.concatenate([step, h]) @ weights + bias, 4)
            c = sigmoid(i) * np.tanh(j) + sigmoid(f + 1) * c
            c = np.clip(c, -lstm["cell_clip"], lstm["cell_clip"])
            h = (sigmoid(o) * np.tanh(c)) @ projection
            h = np.clip(h, -lstm["proj_clip"], lstm["proj_clip"])
            outputs.append(h)
        state[direction, layer] = h, c
        return np.stack(outputs)
