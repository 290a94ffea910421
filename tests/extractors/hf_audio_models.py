"""Tiny audio models of each family, saved as the hub has them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from pipeline.extractors.hf_folder import library

LAYERS = {
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 32,
}
CONVOLUTIONS = {
    "conv_dim": [8, 8],
    "conv_kernel": [40, 20],
    "conv_stride": [40, 16],
    "num_feat_extract_layers": 2,
    "num_conv_pos_embeddings": 4,
    "num_conv_pos_embedding_groups": 2,
}
SWIN = {
    "patch_embeds_hidden_size": 8,
    "depths": [1, 1],
    "num_attention_heads": [2, 2],
    "num_hidden_layers": 2,
    "hidden_size": 16,
    "num_mel_bins": 16,
    "spec_size": 64,
    "window_size": 4,
}


def ast() -> tuple[Any, Any]:
    """An AST with its classifier, of windows of 0.64 s."""
    hf, shape = library(), {"num_mel_bins": 16, "max_length": 64}
    network = hf.ASTForAudioClassification(hf.ASTConfig(**LAYERS, **shape, patch_size=8))
    return network, hf.ASTFeatureExtractor(**shape)


def clap(fusion: bool) -> tuple[Any, Any]:
    """A CLAP with its text tower, of windows of 1 s at 16 kHz."""
    hf = library()
    audio = {**SWIN, "enable_fusion": fusion, "projection_dim": 12}
    text = {**LAYERS, "vocab_size": 20, "max_position_embeddings": 20, "projection_dim": 12}
    config = hf.ClapConfig(text_config=text, audio_config=audio, projection_dim=12)
    extractor = hf.ClapFeatureExtractor(
        feature_size=16,
        sampling_rate=16_000,
        hop_length=160,
        max_length_s=1,
        fft_window_size=512,
        frequency_max=8_000,
        truncation="fusion" if fusion else "rand_trunc",
    )
    return hf.ClapModel(config), extractor


def speech(name: str, norm: str) -> tuple[Any, Any]:
    """A wav2vec 2 or HuBERT for letters, its sound normalised in groups or layers."""
    hf = library()
    config = getattr(hf, f"{name}Config")(
        **LAYERS, **CONVOLUTIONS, feat_extract_norm=norm, vocab_size=8
    )
    masked = norm == "layer"
    extractor = hf.Wav2Vec2FeatureExtractor(return_attention_mask=masked)
    return getattr(hf, f"{name}ForCTC")(config), extractor


MODELS: dict[str, Any] = {
    "ast": ast,
    "clap": lambda: clap(fusion=False),
    "clap_fused": lambda: clap(fusion=True),
    "wav2vec2": lambda: speech("Wav2Vec2", "group"),
    "hubert": lambda: speech("Hubert", "layer"),
}


def save(name: str, folder: Path) -> Path:
    """Save a tiny model of `MODELS` with numbers that are no small ones, so that errors show."""
    torch.manual_seed(0)
    network, extractor = MODELS[name]()
    with torch.no_grad():
        for tensor in network.parameters():
            if tensor.ndim > 1:
                tensor.normal_(0, tensor[0].numel() ** -0.5)
    network.save_pretrained(folder)
    extractor.save_pretrained(folder)
    return folder
