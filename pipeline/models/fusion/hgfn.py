"""Hierarchical Graph Fusion Network (Wang and Chen, section III-B, eqs 1 to 7)."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from pipeline.models.fusion.align import LinearAlign, PadAlign
from pipeline.models.fusion.base import Fused, Fusion, check_choice, check_theta
from pipeline.models.fusion.dynamic_attention import DynamicAttentionUnit
from pipeline.models.fusion.graph_level import GraphLevel, weighted_sum
from pipeline.models.fusion.vertices import plan_levels


class HGFN(Fusion):
    """Unimodal, bimodal and trimodal levels of a graph, concatenated (eq. 7).

    A vertex that contains an absent modality leaves its level's softmax, eq. 2 divides by the
    number of modalities present, and a level without a vertex is 0. With M = 2 there is one
    bimodal vertex, its weight is 1, and theta has no effect.

    Args:
        dims: width d_m of each modality's vector.
        width: D, width of every level; ``align="pad"`` takes the widest modality's instead.
        theta: offset of the similarity in eq. 5, in (0, 1).
        align: "linear" (Linear + LayerNorm) or "pad" (zeros, as printed).
        weight: "scalar" or "vector" (one importance a feature) from eq. 1.
        gate: "none" as printed, or "sigmoid" to keep the importances in (0, 1).
        pairs: "unordered", or "ordered" to average each bimodal vertex over both orders.
        tri_weight: what eq. 5 adds up above the bimodal level: "w" softmaxed or "q" before it.
        max_order: modalities in the largest vertex; min(M, 3) unless given.
        channels: of the convolution of eq. 3; 4, or 1 with ``align="pad"``, unless given.

    Raises:
        ValueError: for an option outside its range.
    """

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
        max_order: int | None = None,
        channels: int | None = None,
    ) -> None:
        super().__init__(dims)
        check_theta(theta)
        check_choice("align", align, ("linear", "pad"))
        check_choice("weight", weight, ("scalar", "vector"))
        check_choice("gate", gate, ("none", "sigmoid"))
        check_choice("pairs", pairs, ("unordered", "ordered"))
        check_choice("tri_weight", tri_weight, ("w", "q"))
        count = len(self.modalities)
        max_order = min(count, 3) if max_order is None else max_order
        if not 1 <= max_order <= count:
            raise ValueError(f"max_order is {max_order}; {count} modalities allow 1 to {count}")
        self.tri_weight = tri_weight
        self.align: PadAlign | LinearAlign
        self.align = PadAlign(self.dims) if align == "pad" else LinearAlign(self.dims, width)
        self.attention = DynamicAttentionUnit(
            count, vector=weight == "vector", gate=gate == "sigmoid"
        )
        channels = channels or (1 if align == "pad" else 4)
        plans = plan_levels(self.modalities, max_order, ordered_pairs=pairs == "ordered")
        self.graph = nn.ModuleList(
            GraphLevel(plan, count, self.align.width, channels, theta) for plan in plans
        )
        self.vertices = {"unimodal": list(self.modalities)}
        self.vertices |= {plan.name: list(plan.labels) for plan in plans}
        self.level_dims = [self.align.width] * max_order
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
        units = self.align(inputs, mask)  # (B, M, D)
        importance = torch.where(mask.unsqueeze(-1), self.attention(units), 0.0)  # (B, M, W)
        number = mask.sum(dim=1, keepdim=True).clamp(min=1)
        levels = [weighted_sum(importance, units) / number]  # eq. 2
        report = {"absent": ~mask.any(dim=1), "unimodal": importance.mean(dim=-1).detach()}
        pool, weights = units, importance
        for name, level in zip(list(self.vertices)[1:], self.graph, strict=True):
            out = level(pool, weights, mask)
            levels.append(out.combined)
            report[name] = out.weights.mean(dim=-1).detach()
            report[f"similarity.{name}"] = out.similarity.detach()
            if level is self.graph[-1]:
                break
            assert isinstance(level, GraphLevel)
            vectors, shares, scores = level.merge(out)
            pool = torch.cat([vectors, units], dim=1)
            carried = shares if self.tri_weight == "w" else scores
            weights = torch.cat([carried, importance], dim=1)
        return Fused(torch.cat(levels, dim=1), levels, report)  # eq. 7
