"""What a model is made of: enough to build it again, kept beside its weights as model.json."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from safetensors.torch import load_file, save_file
from torch import nn

from pipeline.models.encoders import build_encoder
from pipeline.models.fusion import Fusion, build_fusion
from pipeline.models.heads import TaskHeads
from pipeline.models.network import MultimodalNetwork
from pipeline.models.standardise import Standardise
from pipeline.mtl import Task
from pipeline.mtl.mtinet_heads import MTINetHeads

# Raised whenever a model's parameters get other names or shapes.
FORMAT = 2


@dataclass(frozen=True)
class ModelSpec:
    """Architecture of a network: modalities with their widths, encoder, fusion, heads, tasks."""

    modalities: dict[str, int]
    encoder: Literal["pooled", "bigru"]
    tasks: tuple[Task, ...]
    fusion: str
    theta: float
    width: int
    mtl: str
    dropout: float

    def build(self, standardise: Mapping[str, Standardise] | None = None) -> MultimodalNetwork:
        """Build the network with freshly initialised parameters.

        Without `standardise` its statistics are the identity's, to be loaded afterwards.
        """
        encoders = {
            name: build_encoder(self.encoder, dim, dropout=self.dropout)
            for name, dim in self.modalities.items()
        }
        dims = {name: encoder.dim for name, encoder in encoders.items()}
        fusion = build_fusion(self.fusion, dims, width=self.width, theta=self.theta)
        scales = standardise or {name: Standardise(dim) for name, dim in self.modalities.items()}
        return MultimodalNetwork(encoders, fusion, self._heads(fusion), scales)

    def _heads(self, fusion: Fusion) -> nn.Module:
        outputs = {task.name: task.outputs for task in self.tasks}
        if self.mtl == "mtinet":
            return MTINetHeads(
                fusion.level_dims, fusion.joint_dim, outputs, self.width, dropout=self.dropout
            )
        return TaskHeads(fusion.joint_dim, outputs, dropout=self.dropout)


def save_model(folder: Path, network: nn.Module, spec: ModelSpec, **facts: Any) -> None:
    """Write model.safetensors and model.json; `facts` (epochs, counts) go into the latter."""
    folder.mkdir(parents=True, exist_ok=True)
    state = {name: tensor.contiguous().cpu() for name, tensor in network.state_dict().items()}
    save_file(state, folder / "model.safetensors")
    described = {"format": FORMAT, "spec": asdict(spec), **facts}
    (folder / "model.json").write_text(json.dumps(described, indent=2, sort_keys=True) + "\n")


def load_model(folder: Path) -> tuple[MultimodalNetwork, ModelSpec]:
    """Read a network and its spec; raises ValueError if the files are of another format."""
    described = json.loads((folder / "model.json").read_text())
    if described.get("format") != FORMAT:
        raise ValueError(f"{folder}/model.json: format {described.get('format')}; train again")
    values = described["spec"]
    tasks = tuple(Task(**{**task, "classes": tuple(task["classes"])}) for task in values["tasks"])
    spec = ModelSpec(**{**values, "tasks": tasks})
    network = spec.build()
    network.load_state_dict(load_file(folder / "model.safetensors"))
    return network, spec
