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

from benchmarks.cosine import cosines
from benchmarks.inception import pictures
from benchmarks.section import Effort, cpu_has_bfloat16
from benchmarks.timing import Line, against_plain, interleaved
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
    names = [name for name in LEAST if name == "float32" or cpu_has_bfloat16()]
    ours: dict[str, Any] = {
        name: kind.of(folder, SimpleNamespace(size=224, precision=name)) for name in names
    }
    preparation = ours["float32"].preparation
    frames = pictures(count, preparation.side)

    @torch.inference_mode()
    def reference() -> torch.Tensor:
        # Channels first in memory, as torch's own transforms leave them.
        return plain(preparation.normalise(torch.from_numpy(frames)).contiguous())

    work = {name: partial(encoder.load(), [frames]) for name, encoder in ours.items()}
    times = interleaved(work | {"plain": reference}, effort.of_seconds, 1)
    return [
        _line(f"{what}, {name}, against the plain network", least, times, name, work, reference)
        if name in ours
        else Line(f"{what}, {name}", None, least, at_least=True, detail="CPU has no bf16")
        for name, least in LEAST.items()
    ]


def _line(
    what: str,
    least: float,
    times: Mapping[str, Any],
    name: str,
    work: Mapping[str, Callable[[], list[np.ndarray]]],
    reference: Callable[[], torch.Tensor],
) -> Line:
    cosine = float(cosines(work[name]()[0], reference().numpy()).min())
    exact = cosine > (0.999999 if name == "float32" else 0.999)
    agreement = f"cosine {cosine:.6f} on untrained weights"
    return against_plain(what, least, times[name], times["plain"], agreement, exact)
