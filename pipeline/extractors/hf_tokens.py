"""A model's own fast tokenizer: texts to token ids, and rows of ids of one length."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Int
from torch import Tensor

from pipeline.extractors.hf_folder import library, one_line

TOKENIZER = "tokenizer.json"


@dataclass(frozen=True)
class Tokenizer:
    """Token ids without special tokens; `first` and `last` are those around every text."""

    backend: Any
    first: tuple[int, ...]
    last: tuple[int, ...]
    padding: int
    pads_left: bool
    longest: int | None  # with special tokens; None where the tokenizer does not say

    @property
    def special(self) -> int:
        """Number of special tokens around a text."""
        return len(self.first) + len(self.last)

    def ids(self, text: str) -> list[int]:
        """Return the ids of a text's tokens."""
        return list(self.backend.encode(text, add_special_tokens=False).ids)

    def rows(
        self, texts: Sequence[Sequence[int]], shape: tuple[int, int]
    ) -> tuple[Int[Tensor, "rows length"], Int[Tensor, "rows length"]]:
        """Return ids of `shape` and their mask; a row without a text has the special tokens."""
        ids = torch.full(shape, self.padding)
        mask = torch.zeros(shape, dtype=torch.int64)
        for row in range(shape[0]):
            text = texts[row] if row < len(texts) else ()
            values = torch.tensor([*self.first, *text, *self.last])
            place = slice(-len(values), None) if self.pads_left else slice(len(values))
            ids[row, place], mask[row, place] = values, 1
        return ids, mask


def read_tokenizer(folder: Path) -> Tokenizer:
    """Read the tokenizer of a model's folder.

    Raises ValueError where it has no tokenizer.json, or needs code of its own.
    """
    if not (folder / TOKENIZER).is_file():
        raise ValueError(
            f"{folder / TOKENIZER}: missing; take a model with a fast tokenizer, or write it with "
            "AutoTokenizer.from_pretrained(...).save_pretrained(...)"
        )
    with one_line(folder):
        own = library().AutoTokenizer.from_pretrained(
            folder, local_files_only=True, trust_remote_code=False
        )
    backend = getattr(own, "backend_tokenizer", None)
    if backend is None:
        raise ValueError(f"{folder}: {type(own).__name__} is no fast tokenizer; take another model")
    backend.no_truncation()
    backend.no_padding()
    first, last = _around(backend)
    # A tokenizer without a limit says 10^30.
    longest = own.model_max_length if own.model_max_length < 1 << 20 else None
    padding = own.pad_token_id if own.pad_token_id is not None else 0
    return Tokenizer(backend, first, last, padding, own.padding_side == "left", longest)


def _around(backend: Any) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return the special tokens before and after a text."""
    encoding = backend.encode("a")
    special = encoding.special_tokens_mask
    start = special.index(0)
    end = start + special[start:].count(0)
    return tuple(encoding.ids[:start]), tuple(encoding.ids[end:])
