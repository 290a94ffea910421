"""Hierarchical Graph Fusion Network (Wang and Chen, section III-B, eqs 1 to 7).

Shapes: B rows, M modalities, D the common width, P vertices of a level, K vectors in the pool that
a level joins in pairs, W the width of a weight: 1, or D with ``weight="vector"``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional

from pipeline.models.fusion.base import Fused, Fusion, Options, check_theta
from pipeline.models.fusion.graph import Level, VertexScores, build_levels
from pipeline.models.fusion.projected import Projections
from pipeline.models.masking import masked_softmax

KERNEL = 5  # "5 by 5 and 1 by 1" (section III-B)


class HGFN(Fusion):
    """Unimodal, bimodal and trimodal levels of a graph, concatenated (eq. 7).

    A vertex that contains an absent modality leaves its level's softmax, eq. 2 divides by the
    number of modalities present, and a level without a vertex is 0. With M = 2 there is one
    bimodal vertex, its weight is 1, and theta has no effect.

    Args:
        dims: width d_m of each modality's vector.
        width: D, width of every level; ``align="pad"`` takes the widest modality's instead.
        theta: offset of the similarity in eq. 5, in (0, 1).
        align: "linear" (Linear + LayerNorm), "plain" (Linear alone) or "pad" (zeros, as printed).
        weight: from the map of eq. 1: "scalar" (its mean over the features), "attention" (a
            learned weighted mean) or "vector" (one importance per feature).
        gate: "none" as printed, or "sigmoid" to bound the importances to (0, 1).
        pairs: "unordered", or "ordered" to average each bimodal vertex over both orders.
        tri_weight: what eq. 5 adds up above the bimodal level: "w" softmaxed, "q" before it, or
            "scaled": w times the number of supports, whose mean is 1 as that of importances.
        vertex_norm: of V_ab before the softmax of eq. 4 alone: "none" as printed, or "layer".
        vertex_weights: "learned"; for ablations "mean" over the rows, or "uniform": importances of
            1 and equal weights of a level's vertices.
        max_order: a vertex joins at most min(max_order, M) modalities.
        channels: of the convolution of eq. 3; 4, or 1 with ``align="pad"``, unless given.

    Raises:
        ValueError: for an option outside its range.
    """

    takes = ("width", "theta")
    options: ClassVar[Options] = {
        "align": ("linear", "plain", "pad"),
        "weight": ("scalar", "attention", "vector"),
        "gate": ("none", "sigmoid"),
        "pairs": ("unordered", "ordered"),
        "tri_weight": ("w", "q", "scaled"),
        "vertex_norm": ("none", "layer"),
        "vertex_weights": ("learned", "mean", "uniform"),
        "max_order": int,
        "channels": int,
    }

    def __init__(
        self,
        dims: Mapping[str, int],
        width: int = 256,
        theta: float = 0.5,
        align: str = "linear",
        weight: str = "scalar",
        gate: str = "none",
        pairs: str = "unordered",
        tri_weight: str = "w",
        vertex_norm: str = "none",
        vertex_weights: str = "learned",
        max_order: int = 3,
        channels: int | None = None,
    ) -> None:
        super().__init__(dims)
        count = len(self.modalities)
        channels = (1 if align == "pad" else 4) if channels is None else channels
        check_theta(theta)
        self.check_options(
            {"align": align, "weight": weight, "gate": gate, "pairs": pairs}
            | {"tri_weight": tri_weight, "vertex_norm": vertex_norm}
            | {"vertex_weights": vertex_weights, "max_order": max_order, "channels": channels}
        )
        self.theta = theta
        self.tri_weight = tri_weight
        self.vertex_norm = vertex_norm
        self.projections: Projections | None = None
        if align == "pad":
            width = max(self.dims)
        else:
            # LayerNorm keeps the spread of the features where the cosine of their softmaxes
            # (eq. 4) responds: at a standard deviation s it is about exp(-s^2).
            self.projections = Projections(self.dims, width, norm=align == "linear")
        self.attention = DynamicAttentionUnit(count, width, weight, gate == "sigmoid")
        levels = build_levels(self.modalities, max_order, ordered_pairs=pairs == "ordered")
        self.levels = nn.ModuleList(levels)
        self.networks = nn.ModuleList(PairNetwork(width, channels) for _ in levels)
        self.vertices = {"unimodal": list(self.modalities)}
        self.vertices |= {level.name: level.vertices for level in levels}
        columns = width if weight == "vector" else 1
        self.scores = nn.ModuleList(
            VertexScores(vertex_weights, len(names), columns) for names in self.vertices.values()
        )
        self.level_dims = [width] * (1 + len(levels))
        self.joint_dim = sum(self.level_dims)

    def forward(
        self,
        features: Mapping[str, Float[Tensor, "b _"]],
        present: Mapping[str, Bool[Tensor, " b"]] | None = None,
    ) -> Fused:
        """Fuse vectors (B, d_m) to ``joint`` (B, levels * D).

        ``weights`` holds, for each level, the vertex weights (mean over features where they are
        vectors) and above the unimodal one the similarities S as "similarity.bimodal" and so on.
        """
        inputs, mask = self.masked_inputs(features, present)
        x = self._align(inputs, mask)  # (B, M, D)
        w_uni = self.scores[0](self.attention(x), mask)  # eq. 1, (B, M, W)
        w_uni = torch.where(mask.unsqueeze(2), w_uni, 0.0)
        present_count = mask.sum(dim=1, keepdim=True).clamp(min=1)  # M of eq. 2
        combined = [(w_uni * x).sum(dim=1) / present_count]  # eq. 2
        report = {"absent": ~mask.any(dim=1), "unimodal": w_uni.mean(dim=2).detach()}
        pool, compared, weights = x, x, w_uni
        for level, network, scores in zip(self.levels, self.networks, self.scores[1:], strict=True):
            assert isinstance(level, Level)
            complete = level.complete(mask)
            V = network(*level.partners(pool))  # eq. 3, (B, P, D)
            a, b = level.partners(compared.softmax(dim=2))
            S = functional.cosine_similarity(a, b, dim=2)  # eq. 4, (B, P)
            w_a, w_b = level.partners(weights)
            q = scores((w_a + w_b) / (S + self.theta).unsqueeze(2), complete)  # eq. 5, (B, P, W)
            w = masked_softmax(q, complete)
            combined.append((w * V).sum(dim=1))  # eq. 6
            report[level.name] = w.mean(dim=2).detach()
            report[f"similarity.{level.name}"] = S.where(complete, 0.0).detach()
            # The level above joins the modalities and one vertex per support. With unordered pairs
            # and M = 3 a support has one vertex, and total and average change nothing.
            merged = level.average(V, q)
            pool = compared = torch.cat([merged, x], dim=1)
            if self.vertex_norm == "layer":
                compared = torch.cat([functional.layer_norm(merged, merged.shape[2:]), x], dim=1)
            weights = torch.cat([self._support_weights(level, q, w, complete), w_uni], dim=1)
        return Fused(torch.cat(combined, dim=1), combined, report)  # eq. 7

    def _support_weights(
        self,
        level: Level,
        q: Float[Tensor, "b p w"],
        w: Float[Tensor, "b p w"],
        complete: Bool[Tensor, "b p"],
    ) -> Float[Tensor, "b s w"]:
        """Return what eq. 5 of the next level adds up for each support: see ``tri_weight``."""
        if self.tri_weight == "q":
            return level.average(q, q)
        if self.tri_weight == "w":
            return level.total(w)
        supports = complete.sum(dim=1) // level.per_support
        return level.total(w) * supports[:, None, None]

    def _align(
        self, inputs: list[Float[Tensor, "b _"]], present: Bool[Tensor, "b m"]
    ) -> Float[Tensor, "b m d"]:
        """Stack M vectors (B, d_m) to (B, M, D); absent ones are 0."""
        if self.projections is not None:
            return self.projections(inputs, present)
        padded = [functional.pad(x, (0, self.level_dims[0] - x.shape[1])) for x in inputs]
        return torch.stack(padded, dim=1)


class DynamicAttentionUnit(nn.Module):
    """Importance of each modality: two convolutions over the stacked map of M vectors (eq. 1).

    The first kernel is 5 wide and max(5, 2M - 1) tall: 5 by 5 as printed up to M = 3, above it the
    least height with which each modality reaches all others. LeakyReLU follows both layers. The
    position of a modality matters, so the order of the rows is part of the model.

    Args:
        modalities: M.
        width: D.
        weight: "vector" is the map itself, "scalar" its mean over the features, and "attention" a
            weighted mean: the softmax of a score from the maps and the feature's position.
        gate: squash the weights with a sigmoid; the paper does not, they may be negative.
    """

    def __init__(
        self, modalities: int, width: int, weight: str = "scalar", gate: bool = False
    ) -> None:
        super().__init__()
        self.weight = weight
        self.gate = gate
        height = max(KERNEL, 2 * modalities - 1)
        self.conv = nn.Conv2d(1, 16, (height, KERNEL), padding="same")
        self.mix = nn.Conv2d(16, 1, kernel_size=1)
        # Start near w = 1, where eq. 2 is the plain mean. A negative start would sit on the flat
        # side of the LeakyReLU, and the unimodal level would begin, and stay, near 0.
        nn.init.ones_(self.mix.get_parameter("bias"))
        if weight == "attention":
            self.score = nn.Conv2d(16, 1, kernel_size=1)
            self.position = nn.Parameter(torch.zeros(width))
        self.activation = nn.LeakyReLU()

    def forward(self, x: Float[Tensor, "b m d"]) -> Float[Tensor, "b m w"]:
        """Weights (B, M, 1), or (B, M, D) where they are vectors."""
        maps = self.activation(self.conv(x.unsqueeze(1)))  # (B, 16, M, D)
        w = self.activation(self.mix(maps)).squeeze(1)  # (B, M, D)
        if self.weight == "scalar":
            w = w.mean(dim=2, keepdim=True)
        elif self.weight == "attention":
            shares = (self.score(maps).squeeze(1) + self.position).softmax(dim=2)
            w = (shares * w).sum(dim=2, keepdim=True)
        return w.sigmoid() if self.gate else w


class PairNetwork(nn.Module):
    """CONV of eq. 3: one 1-D convolution and one dense layer, LeakyReLU after both.

    One network computes all vertices of a level. A vertex reads its partners as one signal
    [V_a; V_b] of length 2D with one channel.
    """

    def __init__(self, width: int, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv1d(1, channels, KERNEL, padding="same")
        self.dense = nn.Linear(2 * width * channels, width)
        self.activation = nn.LeakyReLU()

    def forward(
        self, left: Float[Tensor, "b p d"], right: Float[Tensor, "b p d"]
    ) -> Float[Tensor, "b p d"]:
        """Vertices (B, P, D) of P pairs of partners."""
        signal = torch.cat([left, right], dim=2).flatten(0, 1).unsqueeze(1)  # (B P, 1, 2D)
        maps = self.activation(self.conv(signal)).flatten(1)  # (B P, channels * 2D)
        return self.activation(self.dense(maps)).view_as(left)
