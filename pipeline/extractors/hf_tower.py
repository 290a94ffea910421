"""Networks of transformers, loaded from a folder and compared with what config.json describes."""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from torch import nn

from pipeline.extractors.device import PRECISIONS, require_device
from pipeline.extractors.hf_folder import CONFIG, library, one_line, weight_files
from pipeline.inputs.weight_files import Shapes, shape_text

HEADS = 1 << 20  # numbers in parts that a file may lack

_NUMBERS = {"F64", "F32", "F16", "BF16"}
_OF_TRAINING = "masked_spec_embed"  # of speech networks; a file may lack it
# Tables and counters of whole numbers: older versions stored even those of 0, 1, 2 ...
_WHOLE = re.compile(r"(^|\.)([a-z]+_[a-z]+_index|[a-z_]+_ids|num_batches_tracked)$")


@dataclass(frozen=True)
class Tower:
    """A network for inference; `unused` names the parts of the file that it does not have."""

    network: nn.Module
    unused: tuple[str, ...]


def tower_config(config: Any, name: str) -> Any:
    """Return the settings of one tower (`text_config`, ...), or of a network without towers.

    CLIP states the width of the space that its towers share only beside them.
    """
    tower = getattr(config, name, config)
    if config.model_type == "clip":
        tower.projection_dim = config.projection_dim
    return tower


def load_tower(
    folder: Path,
    config: Any,
    architecture: str | None = None,
    precision: str = "float32",
    device: str = "cpu",
) -> Tower:
    """Load a network of a folder: the class `architecture` of transformers, by default its base.

    `config` is that of `read_config`, or of one tower. Parts of the file beside the network (heads,
    another tower) are ignored and named. All tensors of the network must be there, of the right
    shape, and finite. Raises ValueError naming the file and the first tensor that differs.
    """
    require_device(device)
    kind = _network_class(folder, config, architecture)
    settings = _settings(kind)
    expected = _described(folder, kind, config, settings)
    found = _stored(folder)
    _check_total(folder, found, expected)
    with one_line(folder):
        network, report = kind.from_pretrained(
            folder,
            config=config,
            dtype=torch.float32,
            use_safetensors=True,
            local_files_only=True,
            ignore_mismatched_sizes=True,  # they are reported below
            output_loading_info=True,
            **settings,
        )
    unused = _check_report(folder, kind.__name__, network, report, expected)
    _check_finite(folder, network)
    network = network.eval().requires_grad_(False).to(device, PRECISIONS[precision])
    return Tower(network, unused)


def _network_class(folder: Path, config: Any, architecture: str | None) -> Any:
    transformers = library()
    if architecture is not None:
        return getattr(transformers, architecture)
    try:
        return transformers.MODEL_MAPPING[type(config)]
    except KeyError:
        raise ValueError(
            f"{folder / CONFIG}: no network of model_type {config.model_type!r}"
        ) from None


def _settings(kind: Any) -> dict[str, Any]:
    # Always the same attention for an architecture: another would change the last digits.
    settings: dict[str, Any] = {"attn_implementation": "sdpa" if kind._supports_sdpa else "eager"}
    if "add_pooling_layer" in inspect.signature(kind.__init__).parameters:
        settings["add_pooling_layer"] = False
    return settings


def _described(folder: Path, kind: Any, config: Any, settings: Mapping[str, Any]) -> Shapes:
    """Return the tensors' shapes of the network that config.json describes; allocates nothing."""
    with one_line(folder / CONFIG), torch.device("meta"):
        network = kind._from_config(config, **settings)
    return {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}


def _stored(folder: Path) -> Shapes:
    """Return the shapes of all tensors in the weight files; raises ValueError for no numbers."""
    shapes: dict[str, tuple[int, ...]] = {}
    for path in weight_files(folder):
        with one_line(path), safe_open(path, "pt") as file:
            for name in file.keys():  # noqa: SIM118 - not a mapping
                part = file.get_slice(name)
                if part.get_dtype() not in _NUMBERS and not _WHOLE.search(name):
                    raise ValueError(f"tensor {name} is of {part.get_dtype()}, not real numbers")
                shapes[name] = tuple(part.get_shape())
    return shapes


def _check_total(folder: Path, found: Shapes, expected: Shapes) -> None:
    """Refuse a network far larger than its weights, before memory is taken for it."""
    stored, described = (sum(map(prod, shapes.values())) for shapes in (found, expected))
    if described > 4 * stored + HEADS:
        raise ValueError(
            f"{folder}: {CONFIG} describes {described:,} numbers, the weights hold {stored:,}; "
            "are they of different models?"
        )


def _check_report(
    folder: Path,
    network_name: str,
    network: nn.Module,
    report: Mapping[str, Any],
    expected: Shapes,
) -> tuple[str, ...]:
    """Raise ValueError for the first tensor that differs; return the parts that are not used."""
    extra = sorted(name for name in report["unexpected_keys"] if not _WHOLE.search(name))
    prefix, parts = f"{network.base_model_prefix}.", dict(network.named_children())
    inside = [name for name in extra if name.removeprefix(prefix).partition(".")[0] in parts]
    missing = set(report["missing_keys"]) - {_OF_TRAINING}
    wrong = {name: shape_text(stored) for name, stored, _ in report["mismatched_keys"]}
    wrong |= dict.fromkeys(missing, "missing") | dict.fromkeys(inside, "there")
    for name in [*expected, *wrong]:
        if name in wrong:
            wanted = shape_text(expected[name]) if name in expected else "none"
            raise ValueError(
                f"{folder}: tensor {name} is {wrong[name]}, expected {wanted}; not the weights of "
                f"the {network_name} that {CONFIG} describes"
            )
    return tuple(sorted({name.removeprefix(prefix).partition(".")[0] for name in extra}))


def _check_finite(folder: Path, network: nn.Module) -> None:
    for name, tensor in network.state_dict().items():
        if tensor.is_floating_point() and not tensor.isfinite().all():
            raise ValueError(f"{folder}: tensor {name} holds numbers that are not finite")
