"""MTI-Net on vectors: loss and heads with deep supervision (Vandenhende et al. 2020)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn

from pipeline.mtl.labelled import LabelledTasks, mean_losses
from pipeline.mtl.method import MultiTaskMethod, Options, Predictions
from pipeline.mtl.mtinet_layers import (
    MASKS,
    BatchNorm,
    Distillation,
    FeaturePropagation,
    ResidualBlock,
)

Logits = dict[str, Tensor]


class Scale(nn.Module):
    """One level: each task's refined features and initial logits."""

    def __init__(self, inputs: int, outputs: Sequence[int], width: int, dropout: float) -> None:
        super().__init__()
        self.refine = nn.ModuleList(
            nn.Sequential(
                ResidualBlock(inputs, width), ResidualBlock(width, width), nn.Dropout(dropout)
            )
            for _ in outputs
        )
        self.predict = nn.ModuleList(nn.Linear(width, n) for n in outputs)

    def forward(
        self, level: Float[Tensor, "b i"], coarser: Float[Tensor, "b f d"] | None
    ) -> tuple[Float[Tensor, "b f w"], list[Tensor]]:
        """Return features (B, F, width) and each task's logits (B, C_f)."""
        features = []
        for t, refine in enumerate(self.refine):
            x = level if coarser is None else torch.cat((level, coarser[:, t]), dim=1)
            features.append(refine(x))
        logits = [layer(x) for layer, x in zip(self.predict, features, strict=True)]
        return torch.stack(features, dim=1), logits


class MTINetHeads(nn.Module):
    """Task heads that exchange features at S levels, from the most global to the most local.

    Each level refines its vector, and what the coarser level propagated, into features of every
    task and a first prediction of each (deep supervision); the tasks of a level then distil from
    each other, and a task's final logits come from all its levels together: Linear-BN-ReLU-Linear.

    level_dims: widths of the fusion's levels, local to global; with none, the shared representation
        z is the first of three, z, phi(W1 z) and phi(W2 phi(W1 z)). outputs: task -> C_f.
    width: of z and of all features.
    mask: what the mask between levels sums to 1 over, see `FeaturePropagation`. dropout: on the
        refined features and on the last layers' inputs; the original has none.
    """

    def __init__(
        self,
        level_dims: Sequence[int],
        outputs: Mapping[str, int],
        width: int,
        mask: str = "tasks",
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.names, sizes = tuple(outputs), list(outputs.values())
        self.ladder = nn.ModuleList(
            nn.Sequential(nn.Linear(width, width), nn.LeakyReLU())
            for _ in range(0 if level_dims else 2)
        )
        dims = level_dims or (width,) * 3
        coarser = [width] * (len(dims) - 1) + [0]  # the coarsest level has no coarser one
        self.scales = nn.ModuleList(
            Scale(own + other, sizes, width, dropout)
            for own, other in zip(dims, coarser, strict=True)
        )
        self.propagate = nn.ModuleList(
            FeaturePropagation(len(sizes), width, mask) for _ in dims[1:]
        )
        self.distil = nn.ModuleList(Distillation(len(sizes), width) for _ in dims)
        self.merge = nn.ModuleList(
            nn.Sequential(
                nn.Linear(len(dims) * width, width),
                BatchNorm(width),
                nn.ReLU(),
                nn.Dropout(dropout),
            )
            for _ in sizes
        )
        self.predict = nn.ModuleList(nn.Linear(width, size) for size in sizes)

    def forward(
        self, shared: Float[Tensor, "b d"], levels: list[Tensor]
    ) -> tuple[Logits, Logits, list[Logits]]:
        """Return logits (B, C_f), their last layers' inputs (B, width), and each level's logits.

        `levels`: (B, level_dims[s]), local to global; the third result has that order too.
        """
        levels = levels or [shared]
        for step in self.ladder:
            levels = [*levels, step(levels[-1])]
        features, auxiliary = self._descend(levels)
        mixed = [distil(x) for distil, x in zip(self.distil, features, strict=True)]
        everything = torch.cat(mixed, dim=2)  # (B, F, S width)
        hidden, logits = {}, {}
        for t, name in enumerate(self.names):
            hidden[name] = self.merge[t](everything[:, t])
            logits[name] = self.predict[t](hidden[name])
        return logits, hidden, auxiliary

    def _descend(self, levels: list[Tensor]) -> tuple[list[Tensor], list[Logits]]:
        """Return each level's features (B, F, width) and logits, computed from global to local."""
        features: list[Tensor] = []
        auxiliary: list[Logits] = []
        coarser = None
        for s in reversed(range(len(levels))):
            here, logits = self.scales[s](levels[s], coarser)
            features.insert(0, here)
            auxiliary.insert(0, dict(zip(self.names, logits, strict=True)))
            coarser = self.propagate[s - 1](here) if s > 0 else None
        return features, auxiliary


class MTINet(MultiTaskMethod):
    """L = sum_f [L_f(final) + sum_s L_f(level s)] / (S + 1), plain cross entropies.

    The division, which the original does without, makes the loss, and so the learning rate,
    comparable with the other methods'. Labels that are unknown mask every level. The network's
    heads are `MTINetHeads`, with their option `mask`.
    """

    options: ClassVar[Options] = {"mask": MASKS}
    heads = MTINetHeads

    def _combine(self, predictions: Predictions, batch: LabelledTasks, losses: Tensor) -> Tensor:
        levels = predictions.auxiliary
        if not levels:
            raise ValueError("mtinet got no auxiliary logits; give the network MTINetHeads")
        total = losses.sum()
        for logits in levels:
            total = total + mean_losses(batch, logits, self.beta).sum()
        return total / (len(levels) + 1)
