"""A text encoder of transformers on tweets, against the library's feature-extraction pipeline."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.cosine import cosines
from benchmarks.elmo import tweets
from benchmarks.section import Effort, cpu_has_bfloat16
from benchmarks.timing import Line, Times, against_plain, interleaved
from pipeline.extractors.hf_folder import library
from pipeline.extractors.hf_text import HFText

TWEETS, BATCH = 256, 32
LEAST = {"float32": 1.3, "bfloat16": 2.5}

# Those of MiniLM-L6, the most used model of sentences.
SIZES = {
    "vocab_size": 30522,
    "hidden_size": 384,
    "num_hidden_layers": 6,
    "num_attention_heads": 12,
    "intermediate_size": 1536,
}


def measure(effort: Effort, count: int = TWEETS, sizes: dict[str, int] | None = None) -> list[Line]:
    """Time both precisions and the pipeline in turn on the same texts, from text to vectors."""
    with tempfile.TemporaryDirectory() as name:
        folder, texts = Path(name), [" ".join(words) for words in tweets(count)]
        write_untrained(folder, texts, SIZES | (sizes or {}))
        ours = {kind: _ours(HFText(folder, kind), texts) for kind in _precisions()}
        plain = _plain(folder, texts)
        times = interleaved(ours | {"plain": plain}, effort.of_seconds, 1)
        expected = [np.array(vectors)[0] for vectors in plain()]
        return [
            _line(kind, times, ours[kind](), expected)
            if kind in ours
            else Line(_what(kind), None, least, at_least=True, detail="CPU has no bf16")
            for kind, least in LEAST.items()
        ]


def write_untrained(folder: Path, texts: list[str], sizes: dict[str, int]) -> None:
    """Write a BERT with seeded weights, and a tokenizer that splits rare words into letters."""
    from tokenizers import Tokenizer, models, pre_tokenizers, processors

    torch.manual_seed(0)
    transformers = library()
    transformers.BertModel(transformers.BertConfig(**sizes)).save_pretrained(folder)
    words = [word for text in texts for word in text.split()]
    frequent = sorted(word for word in set(words) if words.count(word) > 3)
    letters = [mark + letter for letter in "abcdefghijklmnopqrstuvwxyz" for mark in ("", "##")]
    names = dict.fromkeys(["[PAD]", "[CLS]", "[SEP]", "[UNK]", *letters, *frequent])
    vocabulary = {name: number for number, name in enumerate(names)}
    own = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    own.pre_tokenizer = pre_tokenizers.Whitespace()
    ends = [(name, vocabulary[name]) for name in ("[CLS]", "[SEP]")]
    own.post_processor = processors.TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=ends)
    fast = transformers.PreTrainedTokenizerFast(
        tokenizer_object=own, pad_token="[PAD]", unk_token="[UNK]", model_max_length=512
    )
    fast.save_pretrained(folder)


def _ours(encoder: HFText, texts: list[str]) -> Callable[[], list[np.ndarray]]:
    run = encoder.load()
    return lambda: run([encoder.prepare(text)[: encoder.longest] for text in texts])


def _plain(folder: Path, texts: list[str]) -> Callable[[], Any]:
    pipeline = library().pipeline("feature-extraction", model=str(folder), device="cpu")
    return lambda: pipeline(texts, batch_size=BATCH)


def _precisions() -> list[str]:
    return [kind for kind in LEAST if kind == "float32" or cpu_has_bfloat16()]


def _what(precision: str) -> str:
    return f"text tower, {precision}, against transformers' pipeline"


def _line(
    precision: str, times: dict[str, Times], vectors: list[np.ndarray], expected: list[np.ndarray]
) -> Line:
    # The pipeline's rows have special tokens, and the padding of their batch.
    both = [(own, all_[1 : 1 + len(own)]) for own, all_ in zip(vectors, expected, strict=True)]
    if precision == "float32":
        error = max(float(np.abs(a - b).max()) for a, b in both)
        agreement, exact = f"equal to {error:.1e}", error <= 1e-4
    else:
        cosine = min(float(cosines(a, b).min()) for a, b in both)
        agreement, exact = f"cosine {cosine:.5f} on untrained weights", cosine > 0.99
    what, least = _what(precision), LEAST[precision]
    return against_plain(what, least, times[precision], times["plain"], agreement, exact)
