"""The whole network, its heads, and networks side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from pipeline.models.fusion.base import Fusion
from pipeline.models.standardise import Standardise

Heads = tuple[dict[str, Tensor], dict[str, Tensor], list[dict[str, Tensor]]]


class Trunk(nn.Sequential):
    """Linear -> LeakyReLU -> Dropout: the layer after any fusion that all tasks share.

    Without it tasks on pooled features that are only concatenated share no parameter.

    Args:
        joint_dim: width of the fused vector.
        width: of the result, the shared representation.
        dropout: on the result.
    """

    def __init__(self, joint_dim: int, width: int, dropout: float = 0.3) -> None:
        super().__init__(nn.Linear(joint_dim, width), nn.LeakyReLU(), nn.Dropout(dropout))


class TaskHeads(nn.Module):
    """Linear -> LeakyReLU -> Dropout -> Linear for each task.

    The tasks share no layer here, so one task's gradient with respect to the shared representation
    needs only that task's head.

    Args:
        width: of the shared representation.
        outputs: number of logits of each task.
        hidden: width of the last layer's input.
        dropout: on the last layer's input.
    """

    def __init__(
        self, width: int, outputs: Mapping[str, int], hidden: int = 128, dropout: float = 0.3
    ) -> None:
        super().__init__()
        self.tasks = tuple(outputs)
        self.first = nn.ModuleList(
            nn.Sequential(nn.Linear(width, hidden), nn.LeakyReLU(), nn.Dropout(dropout))
            for _ in self.tasks
        )
        self.last = nn.ModuleList(nn.Linear(hidden, count) for count in outputs.values())

    def forward(
        self, shared: Float[Tensor, "b d"], levels: Sequence[Float[Tensor, "b _"]] = ()
    ) -> Heads:
        """Map the shared representation (B, d) to logits (B, C_f) and last inputs (B, h) by task.

        ``levels`` is not used and the third result, logits of deep supervision, is empty; both are
        there for heads like MTI-Net's.
        """
        hidden = {task: layer(shared) for task, layer in zip(self.tasks, self.first, strict=True)}
        logits = {
            task: layer(hidden[task]) for task, layer in zip(self.tasks, self.last, strict=True)
        }
        return logits, hidden, []


class NetworkOutput(NamedTuple):
    """Logits, and the intermediate results that multi-task methods and reports use."""

    logits: dict[str, Tensor]  # task -> (B, C_f)
    hidden: dict[str, Tensor]  # task -> (B, h), input of the task's last Linear
    shared: Tensor  # (B, D), what every head starts from
    levels: list[Tensor]  # (B, level_dims[i]) each
    auxiliary: list[dict[str, Tensor]]  # logits of deep supervision, where the heads have them
    fusion_weights: dict[str, Tensor]  # Fused.weights
    attention: dict[str, Tensor]  # modality -> (B, T_m), weight of each step, detached


class MultimodalNetwork(nn.Module):
    """Standardise, encode each modality, fuse, pass the shared layer, classify.

    Args:
        encoders: one per modality; maps (B, T, d) and lengths (B,) to a vector and an attention.
        fusion: built for the encoders' widths.
        trunk: maps the fused vector to the shared representation.
        heads: called with its result and the levels; gives logits, hidden and auxiliary.
        standardise: fitted to the training rows, one per modality.
        input_dropout: on the standardised features.

    Raises:
        ValueError: if these are not for the same modalities.
    """

    def __init__(
        self,
        encoders: Mapping[str, nn.Module],
        fusion: Fusion,
        trunk: nn.Module,
        heads: nn.Module,
        standardise: Mapping[str, Standardise],
        input_dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.modalities = fusion.modalities
        for argument, given in (("encoders", encoders), ("standardise", standardise)):
            if set(given) != set(self.modalities):
                raise ValueError(
                    f"{argument} are for {sorted(given)}, the fusion for {list(self.modalities)}"
                )
        # Lists in the stored order: a modality's name need not be a valid attribute name.
        self.standardise = nn.ModuleList(standardise[name] for name in self.modalities)
        self.encoders = nn.ModuleList(encoders[name] for name in self.modalities)
        self.input_dropout = nn.Dropout(input_dropout)
        self.fusion = fusion
        self.trunk = trunk
        self.heads = heads

    def forward(
        self,
        sequences: Mapping[str, Float[Tensor, "b _ _"]],
        lengths: Mapping[str, Int[Tensor, " b"]],
    ) -> NetworkOutput:
        """Classify padded sequences (B, T_m, d_m) of ``lengths`` (B,); length 0 is absent."""
        features, attention = {}, {}
        for name, scale, encode in zip(
            self.modalities, self.standardise, self.encoders, strict=True
        ):
            x = self.input_dropout(scale(sequences[name], lengths[name]))
            features[name], weights = encode(x, lengths[name])
            attention[name] = weights.detach()
        present = {name: lengths[name] > 0 for name in self.modalities}
        fused = self.fusion(features, present)
        shared = self.trunk(fused.joint)
        logits, hidden, auxiliary = self.heads(shared, fused.levels)
        return NetworkOutput(
            logits, hidden, shared, fused.levels, auxiliary, fused.weights, attention
        )


class SeparateNetworks(nn.Module):
    """A network for each task, which share no parameter; their outputs are merged.

    `shared` and `levels` are those of the networks side by side, in the order of the tasks;
    `fusion_weights` and `attention` are named ``task/name``.

    Args:
        networks: one per task, with a head for that task alone.
    """

    def __init__(self, networks: Mapping[str, MultimodalNetwork]) -> None:
        super().__init__()
        self.tasks = tuple(networks)
        self.networks = nn.ModuleList(networks.values())

    def forward(
        self,
        sequences: Mapping[str, Float[Tensor, "b _ _"]],
        lengths: Mapping[str, Int[Tensor, " b"]],
    ) -> NetworkOutput:
        """Classify padded sequences (B, T_m, d_m) of ``lengths`` (B,); length 0 is absent."""
        outputs: list[NetworkOutput] = [network(sequences, lengths) for network in self.networks]
        levels = zip(*(out.levels for out in outputs), strict=True)

        def named(field: str) -> dict[str, Tensor]:
            pairs = zip(self.tasks, outputs, strict=True)
            return {f"{t}/{k}": v for t, out in pairs for k, v in getattr(out, field).items()}

        return NetworkOutput(
            logits={task: z for out in outputs for task, z in out.logits.items()},
            hidden={task: h for out in outputs for task, h in out.hidden.items()},
            shared=torch.cat([out.shared for out in outputs], dim=1),
            levels=[torch.cat(level, dim=1) for level in levels],
            auxiliary=[],
            fusion_weights=named("fusion_weights"),
            attention=named("attention"),
        )
