"""Graph Fusion Network (Mai, Hu and Xing, AAAI 2020), as its authors' code computes it."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from pipeline.models.fusion.base import Fused, Fusion, check_choice, check_theta
from pipeline.models.fusion.gfn_level import GFNLevel
from pipeline.models.fusion.present_norm import PresentBatchNorm
from pipeline.models.fusion.vertices import plan_levels
from pipeline.models.masking import masked_mean


class GFN(Fusion):
    """Three levels of a graph whose importances come from each modality alone.

    Where HGFN differs: there the importances see all modalities, the similarity is a cosine, the
    third level reads unweighted vertices and softmaxed weights, and no ELU follows. The inner
    product of two softmaxes is about 1/D whatever they are, so that here the similarity hardly
    moves the weights. Generalised from three modalities to M by their pairs and triples; absent
    modalities are left out as in HGFN. The output is normalised over the batch's rows that have
    the level; a batch with one such row is normalised by the running statistics.

    Args:
        dims: width d_m of each modality's vector.
        width: D, to which Linear + LayerNorm + tanh encode every modality.
        theta: offset of the similarity, 0.5 in the authors' code.
        hidden: width inside the two pair networks.
        variant: "code", the released code; the paper's own formulas could not be verified.

    Raises:
        ValueError: for an option outside its range.
    """

    def __init__(
        self,
        dims: Mapping[str, int],
        width: int = 256,
        theta: float = 0.5,
        hidden: int = 64,
        variant: str = "code",
    ) -> None:
        super().__init__(dims)
        check_theta(theta)
        check_choice("variant", variant, ("code",))
        count = len(self.modalities)
        self.encoders = nn.ModuleList(
            nn.Sequential(nn.Linear(dim, width), nn.LayerNorm(width), nn.Tanh())
            for dim in self.dims
        )
        self.importance = nn.Linear(width, 1)  # one for all modalities
        plans = plan_levels(self.modalities, min(count, 3))
        self.graph = nn.ModuleList(GFNLevel(plan, count, width, hidden, theta) for plan in plans)
        self.level_dims = [width] * (1 + len(plans))
        self.joint_dim = sum(self.level_dims)
        self.norms = nn.ModuleList(PresentBatchNorm(width) for _ in self.level_dims)
        self.vertices = {"unimodal": list(self.modalities)}
        self.vertices |= {plan.name: list(plan.labels) for plan in plans}

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
        units = torch.where(mask.unsqueeze(2), torch.stack(encoded, dim=1), 0.0)  # (B, M, D)
        s = torch.where(mask, self.importance(units).squeeze(2).sigmoid(), 0.0)  # (B, M)
        levels = [masked_mean(s.unsqueeze(2) * units, mask)]
        report = {"absent": ~mask.any(dim=1), "unimodal": s.detach()}
        vectors, signals, scores = units, units, s
        for name, level in zip(list(self.vertices)[1:], self.graph, strict=True):
            out = level(vectors, signals, scores, mask)
            levels.append(out.weighted.sum(dim=1))
            report[name] = out.shares.detach()
            report[f"similarity.{name}"] = out.similarity.detach()
            vectors = torch.cat([out.vertices, units], dim=1)
            signals = torch.cat([out.weighted, units], dim=1)
            scores = torch.cat([out.scores, s], dim=1)  # before the softmax: so the code
        return Fused(self._normalise(levels, mask), levels, report)

    def _normalise(
        self, levels: list[Float[Tensor, "b d"]], present: Bool[Tensor, "b m"]
    ) -> Float[Tensor, "b levels_d"]:
        count = present.sum(dim=1)  # level l exists in rows with at least l modalities
        normalised = [
            norm(level, count >= order)
            for order, (norm, level) in enumerate(zip(self.norms, levels, strict=True), start=1)
        ]
        return torch.cat(normalised, dim=1)
