"""Text encoders of transformers: BERT and the like, sentence-transformers, CLIP and SigLIP.

Texts of similar length run together in calls of constant shape: the last bits of a product change
with its number of rows, and a text's vectors would otherwise depend on its neighbours.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from pipeline.extractors.encoder import Identity, Origin, Run, identity_of
from pipeline.extractors.hf_folder import CONFIG, fill_folder, one_line, read_config
from pipeline.extractors.hf_tokens import TOKENIZER, Tokenizer, read_tokenizer
from pipeline.extractors.hf_tower import Tower, load_tower, tower_config
from pipeline.extractors.sentence_pooling import Pooling, read_pooling
from pipeline.runtime import device

# Lengths of rows with their special tokens, and tokens of one call.
LENGTHS = (16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512)
TOKENS = 512


class _Pooled(NamedTuple):
    """A text tower beside an image tower: its class, its output, the setting with its width."""

    architecture: str
    output: str
    dim: str


TOWERS = {
    "clip": _Pooled("CLIPTextModelWithProjection", "text_embeds", "projection_dim"),
    "siglip": _Pooled("SiglipTextModel", "pooler_output", "projection_size"),
    "siglip2": _Pooled("Siglip2TextModel", "pooler_output", "projection_size"),
}

# Their positions begin after the padding's id, so config.json states more than they have.
_LATER_POSITIONS = {"roberta", "xlm-roberta", "xlm-roberta-xl", "camembert", "mpnet"}


@dataclass(frozen=True)
class HFText:
    """A text through a network of transformers: [tokens, dim], or [1, dim] if it is pooled."""

    folder: Path
    precision: str = "float32"
    version: ClassVar[str] = "1"
    batch: ClassVar[int] = 512
    gpu: ClassVar[bool] = True

    @classmethod
    def obtain(cls, source: str, weights: str, folder: Path) -> Origin:
        """See Encoder."""
        origin = fill_folder(f"hf:{source}", weights, folder)
        text, tower = _describe(folder), _load_tower(cls(folder))
        _check_ids(folder, text)
        with one_line(folder):
            # Files that do not fit together are refused here, not in the extraction.
            _run(text, tower.network, [[]])
        unused = f"not used: {', '.join(tower.unused)}" if tower.unused else ""
        return replace(origin, note="; ".join(filter(None, (origin.note, unused))))

    @classmethod
    def of(cls, folder: Path, params: Any) -> HFText:
        """See Encoder."""
        return cls(folder, params.precision)

    @property
    def dim(self) -> int:
        """See Encoder."""
        text = _describe(self.folder)
        return int(getattr(text.config, text.tower.dim if text.tower else "hidden_size"))

    @property
    def longest(self) -> int:
        """Tokens that the network takes, without special ones; at most 512 with them."""
        text = _describe(self.folder)
        return text.most - text.tokenizer.special

    def identity(self) -> Identity:
        """See Encoder."""
        return identity_of(self, f"hf:{_describe(self.folder).kind}", precision=self.precision)

    def prepare(self, raw: str) -> list[int]:
        """Return the ids of a text's tokens, without special ones; none for an empty text."""
        if not raw.strip():
            return []
        text = _describe(self.folder)
        prompted = f"{text.pooling.prompt}{raw}" if text.pooling else raw
        return text.tokenizer.ids(prompted.lower() if text.lower else prompted)

    def load(self) -> Run:
        """See Encoder."""
        return partial(_run, _describe(self.folder), _load_tower(self, device()).network)


@dataclass(frozen=True)
class _Text:
    """What a folder says of texts: the network's type and settings, its tokenizer, its pooling.

    `most` is the longest text in tokens, special ones included; `whole` says that every text is
    padded to it and the padding is not masked.
    """

    kind: str
    config: Any
    tokenizer: Tokenizer
    tower: _Pooled | None
    pooling: Pooling | None
    most: int
    whole: bool

    @property
    def lower(self) -> bool:
        # SigLIP was trained on lower-case texts; not all of its tokenizers say so.
        return self.pooling.lower if self.pooling else self.whole


def _describe(folder: Path) -> _Text:
    """Describe a folder's text encoder, once a process."""
    files = (folder / CONFIG, folder / TOKENIZER)
    return _described(folder, tuple(p.stat().st_mtime_ns for p in files if p.is_file()))


@lru_cache(maxsize=4)
def _described(folder: Path, changed: tuple[int, ...]) -> _Text:
    config, tokenizer = read_config(folder), read_tokenizer(folder)
    kind = config.model_type
    tower = TOWERS.get(kind)
    if tower is None and (config.sub_configs or getattr(config, "is_encoder_decoder", False)):
        raise ValueError(
            f"{folder / CONFIG}: model_type {kind!r} is no text encoder; of models with several "
            f"networks, the text towers of these are known: {', '.join(TOWERS)}"
        )
    config = tower_config(config, "text_config")
    pooling = None if tower else read_pooling(folder)
    limits = [LENGTHS[-1], tokenizer.longest, pooling.longest if pooling else None]
    if positions := getattr(config, "max_position_embeddings", None):
        later = config.pad_token_id + 1 if kind in _LATER_POSITIONS else 0
        limits.append(positions - later)
    most = min(limit for limit in limits if limit)
    return _Text(kind, config, tokenizer, tower, pooling, most, kind.startswith("siglip"))


def _load_tower(encoder: HFText, where: str = "cpu") -> Tower:
    text = _describe(encoder.folder)
    architecture = text.tower.architecture if text.tower else None
    return load_tower(encoder.folder, text.config, architecture, encoder.precision, where)


def call_shape(tokens: int, most: int) -> tuple[int, int]:
    """Return rows and length of the call that a text runs in; `most` is the network's limit.

    Without any padding transformers would compute no mask, and other last digits. So every row has
    some, or at full length the call has a row without a text.
    """
    for length in LENGTHS:
        if tokens < length <= most:
            return TOKENS // length, length
    return TOKENS // most + 1, most


def _check_ids(folder: Path, text: _Text) -> None:
    largest = max(text.tokenizer.backend.get_vocab().values())
    known = getattr(text.config, "vocab_size", largest + 1)
    if largest >= known:
        raise ValueError(
            f"{folder / TOKENIZER}: token ids up to {largest}, but the network has {known}; take "
            "both files of one model"
        )


def _run(text: _Text, network: Any, inputs: Sequence[Sequence[int]]) -> list[np.ndarray]:
    results: list[np.ndarray] = [np.empty(0)] * len(inputs)
    for shape, members in _calls(text, inputs):
        ids, mask = text.tokenizer.rows([inputs[member] for member in members], shape)
        rows = _vectors(text, network, ids, mask)[: len(members)]
        for member, vectors in zip(members, rows, strict=True):
            results[member] = _own_tokens(text, vectors, len(inputs[member]))
    return results


def _calls(
    text: _Text, inputs: Sequence[Sequence[int]]
) -> Iterator[tuple[tuple[int, int], list[int]]]:
    """Yield shapes with the texts that run in a call of it, by their number in `inputs`."""
    groups: dict[tuple[int, int], list[int]] = {}
    for number, ids in enumerate(inputs):
        tokens = text.most if text.whole else len(ids) + text.tokenizer.special
        groups.setdefault(call_shape(tokens, text.most), []).append(number)
    for (rows, length), members in groups.items():
        used = rows - 1 if length == text.most else rows
        for start in range(0, len(members), used):
            yield (rows, length), members[start : start + used]


@torch.inference_mode()
def _vectors(
    text: _Text, network: Any, ids: Int[Tensor, "rows length"], mask: Int[Tensor, "rows length"]
) -> Float[np.ndarray, "rows *length dim"]:
    """Run one call: vectors of all tokens, or one of each row."""
    ids, mask = ids.to(network.device), mask.to(network.device)
    output = network(input_ids=ids, attention_mask=None if text.whole else mask)
    if text.tower:
        vectors = getattr(output, text.tower.output)
    elif text.pooling:
        vectors = text.pooling(output.last_hidden_state, mask)
    else:
        vectors = output.last_hidden_state
    return vectors.float().cpu().numpy()


def _own_tokens(
    text: _Text, vectors: Float[np.ndarray, "*length dim"], tokens: int
) -> Float[np.ndarray, "length dim"]:
    """Leave out special tokens and padding; a copy, so that the whole call can be freed."""
    if vectors.ndim == 1:
        return vectors[None].copy()
    start = len(text.tokenizer.first)
    if text.tokenizer.pads_left:
        start = len(vectors) - tokens - len(text.tokenizer.last)
    return vectors[start : start + tokens].copy()
