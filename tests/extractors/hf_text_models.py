"""Small text encoders of transformers with seeded weights, saved as their authors save them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch

from pipeline.extractors import hf_folder

WORDS = ["flood", "fire", "rescue", "people", "in", "the", "of", "houston", "help", "water"]
WORDS += ["road", "bridge", "a", "an", "damage", "#", "@", "!"]

BERT_SIZES = {
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "vocab_size": 64,
    "initializer_range": 0.5,  # large, so that attention differs between tokens
}
MODES = ("mean_tokens", "cls_token", "max_tokens")
TOWER_SIZES = {**BERT_SIZES, "projection_dim": 8, "projection_size": 8, "initializer_factor": 5.0}


def save_bert(folder: Path) -> Path:
    """Write a folder of sentence-transformers: BERT, pooling, normalisation."""
    torch.manual_seed(0)
    transformers = hf_folder.library()
    config = transformers.BertConfig(**BERT_SIZES, max_position_embeddings=40)
    transformers.BertModel(config).save_pretrained(folder)
    save_tokenizer(folder, "[CLS]", "[SEP]", "[PAD]")
    modules = {"Transformer": "", "Pooling": "1_Pooling", "Normalize": "2_Normalize"}
    save_modules(folder, modules)
    (folder / "1_Pooling").mkdir()
    pooling = {f"pooling_mode_{mode}": mode == "mean_tokens" for mode in MODES}
    (folder / "1_Pooling" / "config.json").write_text(json.dumps(pooling))
    (folder / "sentence_bert_config.json").write_text(json.dumps({"max_seq_length": 30}))
    return folder


def save_modules(folder: Path, paths: dict[str, str]) -> None:
    """Write modules.json: kinds of modules with their folders."""
    modules = [
        {"idx": n, "name": str(n), "path": path, "type": f"sentence_transformers.models.{kind}"}
        for n, (kind, path) in enumerate(paths.items())
    ]
    (folder / "modules.json").write_text(json.dumps(modules))


def save_xlm_roberta(folder: Path) -> Path:
    """Write XLM-R with its head for masked words, and no pooling."""
    torch.manual_seed(1)
    transformers = hf_folder.library()
    config = transformers.XLMRobertaConfig(**BERT_SIZES, max_position_embeddings=40, pad_token_id=1)
    transformers.XLMRobertaForMaskedLM(config).save_pretrained(folder)
    save_tokenizer(folder, "<s>", "</s>", "<pad>")
    return folder


def save_clip(folder: Path) -> Path:
    """Write CLIP's two towers."""
    return _save_towers(folder, "CLIP", "<|endoftext|>", image_size=8, patch_size=4)


def save_siglip(folder: Path) -> Path:
    """Write SigLIP's two towers; texts are as long as its positions."""
    return _save_towers(folder, "Siglip", "</s>", image_size=8, patch_size=4)


def _save_towers(folder: Path, name: str, last: str, **vision: Any) -> Path:
    torch.manual_seed(2)
    transformers = hf_folder.library()
    tokenizer = save_tokenizer(folder, "<s>" if name == "CLIP" else "", last, "<pad>")
    ends = {"eos_token_id": tokenizer.eos_token_id, "pad_token_id": tokenizer.pad_token_id}
    text = {**TOWER_SIZES, "max_position_embeddings": 20, **ends}
    config = getattr(transformers, f"{name}Config")(
        text_config=text, vision_config={**TOWER_SIZES, **vision}, projection_dim=8
    )
    getattr(transformers, f"{name}Model")(config).save_pretrained(folder)
    return folder


def save_tokenizer(folder: Path, first: str, last: str, padding: str) -> Any:
    """Write a tokenizer of words and letters with special tokens around each text."""
    import tokenizers
    from tokenizers import models, normalizers, pre_tokenizers, processors

    special = [name for name in (padding, first, last, "[UNK]") if name]
    letters = [c for c in map(chr, range(97, 123)) if c not in WORDS]
    # The padding of XLM-R has id 1, of the others 0.
    special = [*special[1:2], padding, *special[2:]] if padding == "<pad>" else special
    vocabulary = {name: n for n, name in enumerate([*special, *WORDS, *letters])}
    own = tokenizers.Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    own.normalizer = normalizers.Lowercase()
    own.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    own.post_processor = processors.TemplateProcessing(
        single=f"{first} $A {last}".strip(),
        special_tokens=[(name, vocabulary[name]) for name in (first, last) if name],
    )
    names = {"pad_token": padding, "eos_token": last, "unk_token": "[UNK]"}
    fast = hf_folder.library().PreTrainedTokenizerFast(tokenizer_object=own, **names)
    fast.save_pretrained(folder)
    return fast
