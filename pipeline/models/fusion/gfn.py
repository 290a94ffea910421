"""Graph Fusion Network (Mai, Hu and Xing, AAAI 2020), as its authors' code computes it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional

from pipeline.models.fusion.base import Fused, Fusion, Options, check_theta
from pipeline.models.fusion.graph import Level, build_levels
from pipeline.models.masking import masked_mean, masked_softmax


class GFN(Fusion):
    """Three levels of a graph; each modality's importance depends on that modality only.

    HGFN differs in that its importances depend on all modalities, its similarity is a cosine, its
    third level joins unweighted vertices with softmaxed weights, and no ELU follows. Here the
    similarity hardly changes the weights: the inner product of two softmaxes is about 1/D.

    Generalised from three modalities to M by their pairs and triples; absent modalities are left
    out as in HGFN. The output is normalised over the batch's rows that have the level; a batch with
    one such row is normalised by the running statistics.

    Args:
        dims: width d_m of each modality's vector.
        width: D, to which Linear + LayerNorm + tanh encode every modality.
        theta: offset of the similarity, in (0, 1); 0.5 in the authors' code.
        hidden: width inside the two pair networks.

    Raises:
        ValueError: for an option outside its range.
    """

    takes = ("width", "theta")
    options: ClassVar[Options] = {"hidden": int}

    def __init__(
        self, dims: Mapping[str, int], width: int = 256, theta: float = 0.5, hidden: int = 64
    ) -> None:
        super().__init__(dims)
        check_theta(theta)
        self.check_options({"hidden": hidden})
        self.theta = theta
        self.encoders = nn.ModuleList(
            nn.Sequential(nn.Linear(dim, width), nn.LayerNorm(width), nn.Tanh())
            for dim in self.dims
        )
        self.importance = nn.Linear(width, 1)  # one for all modalities
        levels = build_levels(self.modalities, max_order=3)
        self.levels = nn.ModuleList(levels)
        self.networks = nn.ModuleList(_pair_network(width, hidden) for _ in levels)
        self.level_dims = [width] * (1 + len(levels))
        self.joint_dim = sum(self.level_dims)
        self.norms = nn.ModuleList(PresentBatchNorm(width) for _ in self.level_dims)
        self.vertices = {"unimodal": list(self.modalities)}
        self.vertices |= {level.name: level.vertices for level in levels}

    def forward(
        self,
        features: Mapping[str, Float[Tensor, "b _"]],
        present: Mapping[str, Bool[Tensor, " b"]] | None = None,
    ) -> Fused:
        """Fuse vectors (B, d_m) to ``joint`` (B, levels * D); ``levels`` are not normalised.

        ``weights`` holds the importances and vertex weights of each level, and the similarities
        as "similarity.bimodal" and "similarity.trimodal".
        """
        inputs, mask = self.masked_inputs(features, present)
        encoded = [encode(x) for encode, x in zip(self.encoders, inputs, strict=True)]
        x = torch.where(mask.unsqueeze(2), torch.stack(encoded, dim=1), 0.0)  # (B, M, D)
        s = torch.where(mask, self.importance(x).squeeze(2).sigmoid(), 0.0)  # (B, M)
        combined = [masked_mean(s.unsqueeze(2) * x, mask)]
        report = {"absent": ~mask.any(dim=1), "unimodal": s.detach()}
        # Vectors are compared, signals are joined; scores are those before the softmax.
        vectors, signals, scores = x, x, s
        for level, network in zip(self.levels, self.networks, strict=True):
            assert isinstance(level, Level)
            complete = level.complete(mask)
            a, b = level.partners(vectors.softmax(dim=2))
            S = (a * b).sum(dim=2)  # (B, P)
            q_a, q_b = level.partners(scores)
            q = (q_a + q_b) / (S + self.theta)
            n = masked_softmax(q.unsqueeze(2), complete)  # (B, P, 1)
            V = network(torch.cat(level.partners(signals), dim=2))  # (B, P, D)
            y = functional.elu(n * V)
            combined.append(y.sum(dim=1))
            report[level.name] = n.squeeze(2).detach()
            report[f"similarity.{level.name}"] = S.where(complete, 0.0).detach()
            vectors, signals = torch.cat([V, x], dim=1), torch.cat([y, x], dim=1)
            scores = torch.cat([q, s], dim=1)
        return Fused(self._normalise(combined, mask), combined, report)

    def _normalise(
        self, levels: list[Float[Tensor, "b d"]], present: Bool[Tensor, "b m"]
    ) -> Float[Tensor, "b levels_d"]:
        count = present.sum(dim=1)  # level l exists in rows with at least l modalities
        normalised = [
            norm(level, count >= order)
            for order, (norm, level) in enumerate(zip(self.norms, levels, strict=True), start=1)
        ]
        return torch.cat(normalised, dim=1)


def _pair_network(width: int, hidden: int) -> nn.Sequential:
    """MLP of the authors' code, one for all vertices of a level."""
    return nn.Sequential(
        nn.Linear(2 * width, hidden), nn.LeakyReLU(0.2), nn.Linear(hidden, width), nn.Tanh()
    )


class PresentBatchNorm(nn.BatchNorm1d):
    """BatchNorm1d over the present rows; absent rows are 0 and do not enter the statistics.

    One row has no variance: in training it is normalised by the running statistics, as in
    evaluation, and does not change them.
    """

    def forward(  # type: ignore[override]  # which rows are present is part of the input
        self, x: Float[Tensor, "b d"], rows: Bool[Tensor, " b"]
    ) -> Float[Tensor, "b d"]:
        """Normalise the chosen rows of (B, D)."""
        chosen = x[rows]
        if self.training and len(chosen) > 1:
            normalised = super().forward(chosen)
        else:
            normalised = functional.batch_norm(
                chosen, self.running_mean, self.running_var, self.weight, self.bias, eps=self.eps
            )
        return torch.zeros_like(x).masked_scatter(rows.unsqueeze(1), normalised)
