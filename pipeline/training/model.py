"""A model's specification and files: config.json (how to build it), labels.json and its weights."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import torch
from pydantic import Field
from safetensors.torch import save
from torch import nn

from pipeline.ground.temporaries import write_bytes, write_text
from pipeline.inputs.json_files import check_json, read_json
from pipeline.inputs.weight_files import check_shapes, read_state, shapes_of
from pipeline.models.encoders import build_encoder
from pipeline.models.fusion import FUSIONS, build_fusion, fusion_class
from pipeline.models.fusion.base import Fusion
from pipeline.models.network import MultimodalNetwork, SeparateNetworks, TaskHeads, Trunk
from pipeline.models.standardise import Standardise
from pipeline.mtl import METHODS, Task, method_class
from pipeline.mtl.task import check_tasks
from pipeline.params import (
    DEFAULTS,
    Exponent,
    Fraction,
    FusionParams,
    Members,
    MTLParams,
    Section,
    Share,
    Size,
    TrainParams,
    check_component,
)
from pipeline.training.examples import Examples
from pipeline.training.tasks import Name, load_tasks

Network = MultimodalNetwork | SeparateNetworks

# Raised whenever a model's parameters get other names or shapes, or its files other keys.
FORMAT = 7
WEIGHTS, CONFIG, LABELS = "model.safetensors", "config.json", "labels.json"


@dataclass(frozen=True)
class ModelSpec:
    """What a model is made of: modalities with their widths, encoder, tasks, fusion, heads.

    `mtl` belongs to it, since a multi-task method may bring its own heads. `members` is the number
    of such networks, whose probabilities are averaged.
    """

    modalities: dict[str, int]
    encoder: Literal["pooled", "bigru"]
    tasks: tuple[Task, ...]
    fusion: FusionParams
    mtl: MTLParams
    dropout: float
    input_dropout: float = 0.0
    members: int = 1

    @classmethod
    def of(
        cls,
        examples: Examples,
        encoder: Literal["pooled", "bigru"],
        tasks: Sequence[Task],
        fusion: FusionParams,
        mtl: MTLParams,
        train: TrainParams,
    ) -> ModelSpec:
        """Return the specification for the widths of these examples, with these parameters."""
        shares = train.dropout, train.input_dropout
        return cls(examples.dims, encoder, tuple(tasks), fusion, mtl, *shares, train.members)

    def build(self) -> nn.ModuleList:
        """Build all members with freshly initialised parameters."""
        return nn.ModuleList(self.build_network() for _ in range(self.members))

    def build_network(self, standardise: Mapping[str, Standardise] | None = None) -> Network:
        """Build one member with freshly initialised parameters.

        Without `standardise` its statistics are the identity's, to be loaded afterwards.
        """
        scales = standardise or {name: Standardise(dim) for name, dim in self.modalities.items()}
        if not method_class(self.mtl.name).network_per_task:
            return self._network(self.tasks, scales)
        networks = {task.name: self._network((task,), scales) for task in self.tasks}
        return SeparateNetworks(networks)

    def _network(
        self, tasks: Sequence[Task], scales: Mapping[str, Standardise]
    ) -> MultimodalNetwork:
        encoders = {
            name: build_encoder(self.encoder, dim, dropout=self.dropout)
            for name, dim in self.modalities.items()
        }
        dims = {name: encoder.dim for name, encoder in encoders.items()}
        fusion = build_fusion(
            self.fusion.name, dims, self.fusion.width, self.fusion.theta, **self.fusion.options
        )
        trunk, heads = self._trunk_and_heads(fusion, {task.name: task.outputs for task in tasks})
        scales = deepcopy(scales)
        return MultimodalNetwork(encoders, fusion, trunk, heads, scales, self.input_dropout)

    def _trunk_and_heads(
        self, fusion: Fusion, outputs: Mapping[str, int]
    ) -> tuple[nn.Module, nn.Module]:
        width, heads = self.fusion.width, method_class(self.mtl.name).heads
        trunk: nn.Module = Trunk(fusion.joint_dim, width, self.dropout)
        if heads is None:
            return trunk, TaskHeads(width, outputs, dropout=self.dropout)
        if fusion.level_dims:  # such heads read the levels in place of a shared representation
            trunk = nn.Identity()
        return trunk, heads(
            fusion.level_dims, outputs, width, dropout=self.dropout, **self.mtl.options
        )

    def to_json(self) -> dict[str, Any]:
        """Return the specification as config.json holds it: no tasks, and no value without use."""
        return {
            "modalities": self.modalities,
            "encoder": self.encoder,
            "fusion": self.fusion.model_dump(exclude=_unused_by_fusion(self.fusion.name)),
            "mtl": self.mtl.model_dump(exclude=_unused_by_method(self.mtl.name)),
            "dropout": self.dropout,
            "input_dropout": self.input_dropout,
            "members": self.members,
        }

    @classmethod
    def from_entry(cls, entry: SpecEntry, tasks: tuple[Task, ...]) -> ModelSpec:
        """Return the specification that `to_json` wrote; raises ValueError if it is none."""
        fusion = FusionParams(**entry.fusion.model_dump())
        mtl = MTLParams(**entry.mtl.model_dump())
        check_component("fusion", fusion, FUSIONS, fusion_class)
        check_component("mtl", mtl, METHODS, method_class)
        shares = entry.dropout, entry.input_dropout
        return cls(entry.modalities, entry.encoder, tasks, fusion, mtl, *shares, entry.members)


class _FusionEntry(FusionParams):
    theta: Fraction = DEFAULTS["theta"]


class _MTLEntry(MTLParams):
    alpha: Exponent = DEFAULTS["alpha"]
    beta: Exponent = DEFAULTS["beta"]


class SpecEntry(Section):
    """A specification in config.json, within bounds."""

    modalities: Annotated[dict[Name, Size], Field(min_length=1, max_length=8)]
    encoder: Literal["pooled", "bigru"]
    fusion: _FusionEntry
    mtl: _MTLEntry
    dropout: Share
    input_dropout: Share
    members: Members


def fusion_settings(name: str, params: FusionParams) -> FusionParams:
    """Return the settings of another fusion in a comparison: the values that both of them have."""
    if name == params.name:
        return params
    defaults = {key: DEFAULTS[key] for key in _unused_by_fusion(name)}
    return params.model_copy(update={"name": name, "options": {}, **defaults})


def mtl_settings(method: str, params: MTLParams) -> MTLParams:
    """Return the settings of another method in a comparison: the values that both of them have."""
    if method == params.name:
        return params
    defaults = {key: DEFAULTS[key] for key in _unused_by_method(method)}
    return params.model_copy(update={"name": method, "options": {}, **defaults})


def _unused_by_fusion(name: str) -> set[str]:
    return {"theta"} - set(fusion_class(name).takes)


def _unused_by_method(name: str) -> set[str]:
    return {"alpha", "beta"} - set(method_class(name).takes)


def save_model(folder: Path, networks: nn.ModuleList, spec: ModelSpec, **facts: Any) -> None:
    """Write the three files; `facts` (epochs, counts) go into config.json.

    config.json holds the SHA-256 of all of them, of itself without that entry.
    """
    state = {name: tensor.contiguous().cpu() for name, tensor in networks.state_dict().items()}
    labels = json.dumps([asdict(task) for task in spec.tasks], indent=2) + "\n"
    files = {WEIGHTS: save(state), LABELS: labels.encode()}
    values = {"format": FORMAT, "spec": spec.to_json(), **facts}
    values["sha256"] = _digests(files, values)
    for name, data in files.items():
        write_bytes(folder / name, data)
    write_text(folder / CONFIG, json.dumps(values, indent=2, sort_keys=True) + "\n")


def load_model(folder: Path) -> tuple[nn.ModuleList, ModelSpec]:
    """Read the members' networks and their specification.

    Raises ValueError naming the file if it is of another format or damaged.
    """
    values, cure = read_config(folder), cure_of(folder)
    files = {name: (folder / name).read_bytes() for name in (WEIGHTS, LABELS)}
    written = values.pop("sha256", None)
    for name, digest in _digests(files, values).items():
        if not isinstance(written, dict) or written.get(name) != digest:
            raise ValueError(f"{folder / name}: damaged (not the SHA-256 in {CONFIG}); {cure}")
    entry = check_json(folder / CONFIG, values.get("spec"), SpecEntry)
    tasks, state = _read_labels(folder / LABELS), read_state(folder / WEIGHTS)
    try:
        spec = ModelSpec.from_entry(entry, tasks)
        with torch.device("meta"):  # allocates nothing, whatever sizes config.json states
            of_one = shapes_of(spec.build_network().state_dict())
    except ValueError as error:
        raise ValueError(f"{folder / CONFIG}: {error}") from None
    members = range(spec.members)
    shapes = {f"{member}.{name}": of_one[name] for member in members for name in of_one}
    check_shapes(folder / WEIGHTS, CONFIG, shapes_of(state), shapes)
    networks = spec.build()
    networks.load_state_dict(state)
    return networks, spec


def read_config(folder: Path) -> dict[str, Any]:
    """Read config.json; raises ValueError if the folder is no model, or of another format."""
    if not (folder / CONFIG).is_file():
        known = sorted(str(path.parent) for path in folder.parent.glob(f"*/{CONFIG}"))
        others = f"; there are {', '.join(known)}" if known else ""
        older = " (model.json is an earlier version's: train again)"
        older = older if (folder / "model.json").is_file() else ""
        raise ValueError(f"{folder}: no model, since it has no {CONFIG}{older}{others}")
    values: dict[str, Any] = read_json(folder / CONFIG, dict[str, Any], cure_of(folder))
    if values.get("format") != FORMAT:
        raise ValueError(f"{folder / CONFIG}: not of format {FORMAT}; train again")
    digests = values.get("sha256")
    if not isinstance(digests, dict) or not isinstance(digests.get(WEIGHTS), str):
        raise ValueError(f"{folder / CONFIG}: damaged (no SHA-256 of {WEIGHTS}); {cure_of(folder)}")
    for name in (WEIGHTS, LABELS):
        if not (folder / name).is_file():
            raise ValueError(f"{folder}: no model, since it has no {name}; {cure_of(folder)}")
    return values


def cure_of(folder: Path) -> str:
    """Say what to do about a model that is damaged."""
    return f"delete {folder}, then run `dvc repro`"


def _read_labels(path: Path) -> tuple[Task, ...]:
    tasks = tuple(load_tasks(path))
    try:
        check_tasks(tasks)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
    return tasks


def _digests(files: Mapping[str, bytes], values: Mapping[str, Any]) -> dict[str, str]:
    described = json.dumps(values, sort_keys=True).encode()
    whole = {CONFIG: described, **files}
    return {name: hashlib.sha256(data).hexdigest() for name, data in whole.items()}
