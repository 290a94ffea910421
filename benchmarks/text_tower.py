"""A text encoder of transformers on tweets, against the library's feature-extraction pipeline."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import torch

from benchmarks.elmo import tweets
from benchmarks.timing import Effort, Line
from benchmarks.towers import Run, against_plain
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
        return against_plain(
            effort,
            lambda precision: f"text tower, {precision}, against transformers' pipeline",
            LEAST,
            lambda precision: _ours(HFText(folder, precision), texts),
            _plain(folder, texts),
            error=1e-5,
            cosine=0.99,
        )


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


def _ours(encoder: HFText, texts: list[str]) -> Run:
    run = encoder.load()
    return lambda: run([encoder.prepare(text)[: encoder.longest] for text in texts])


def _plain(folder: Path, texts: list[str]) -> Run:
    pipeline = library().pipeline("feature-extraction", model=str(folder), device="cpu")
    lengths = [
        len(words) for words in pipeline.tokenizer(texts, add_special_tokens=False).input_ids
    ]

    def run() -> list[np.ndarray]:
        # Its rows also hold the special tokens, and the padding of their batch.
        rows = [np.array(vectors)[0] for vectors in pipeline(texts, batch_size=BATCH)]
        return [row[1 : 1 + length] for row, length in zip(rows, lengths, strict=True)]

    return run
