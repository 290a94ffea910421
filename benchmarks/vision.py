"""Picture encoders of today through `load()`, against the plain network at the same batch."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file

from benchmarks.inception import pictures
from benchmarks.timing import Effort, Line
from benchmarks.towers import against_plain
from pipeline.extractors.encoder import Encoder
from pipeline.extractors.hf_folder import library, offline
from pipeline.extractors.hf_vision import HFVisual
from pipeline.extractors.timm_vision import TimmVisual

FRAMES = 8
LEAST = {"float32": 1.3, "bfloat16": 2.5}
# ViT-B/32, CLIP's own smallest.
VIT_B32 = {
    "hidden_size": 768,
    "intermediate_size": 3072,
    "num_hidden_layers": 12,
    "num_attention_heads": 12,
    "image_size": 224,
    "patch_size": 32,
    "projection_dim": 512,
}

Plain = Callable[[torch.Tensor], torch.Tensor]


def measure(
    effort: Effort,
    count: int = FRAMES,
    convolutional: str = "tf_efficientnet_lite0",
    transformer: Mapping[str, int] = VIT_B32,
) -> list[Line]:
    """Time a network of timm and a CLIP tower, each in both precisions and plain, in turn."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        timm, clip = _timm(folder / "timm", convolutional), _clip(folder / "clip", transformer)
        return [
            *_lines(effort, count, f"timm's {convolutional}", TimmVisual, folder / "timm", timm),
            *_lines(effort, count, "CLIP's tower", HFVisual, folder / "clip", clip),
        ]


def _timm(folder: Path, name: str) -> Plain:
    offline()
    import timm

    folder.mkdir()
    network: Any = timm.create_model(name, num_classes=0).eval()
    save_file(network.state_dict(), folder / "checkpoint.safetensors")
    TimmVisual.obtain(name, str(folder / "checkpoint.safetensors"), folder)
    return network


def _clip(folder: Path, sizes: Mapping[str, int]) -> Plain:
    source, transformers = folder / "source", library()
    config = transformers.CLIPVisionConfig(**sizes)
    network = transformers.CLIPVisionModelWithProjection(config).eval()
    network.save_pretrained(source)
    side = sizes["image_size"]
    square = {"height": side, "width": side}
    transformers.CLIPImageProcessor(size={"shortest_edge": side}, crop_size=square).save_pretrained(
        source
    )
    HFVisual.obtain(str(source), "pretrained", folder)
    return lambda values: network(pixel_values=values).image_embeds


def _lines(
    effort: Effort, count: int, what: str, kind: type[Encoder], folder: Path, plain: Plain
) -> list[Line]:
    def encoder(precision: str) -> Any:
        return kind.of(folder, SimpleNamespace(size=224, precision=precision))

    preparation = encoder("float32").preparation
    frames = pictures(count, preparation.side)

    @torch.inference_mode()
    def reference() -> list[np.ndarray]:
        # Channels first in memory, as torch's own transforms leave them.
        return [plain(preparation.normalise(torch.from_numpy(frames)).contiguous()).numpy()]

    return against_plain(
        effort,
        lambda precision: f"{what}, {precision}, against the plain network",
        LEAST,
        lambda precision: partial(encoder(precision).load(), [frames]),
        reference,
        error=1e-3,
        cosine=0.999,
    )
