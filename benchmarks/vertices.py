"""HGFN's batched vertices against the same network with one call a vertex."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

from benchmarks.problem import Size, make_features
from benchmarks.timing import Ratio, Times, interleaved
from pipeline.models.fusion.dynamic_attention import DynamicAttentionUnit
from pipeline.models.fusion.graph_level import GraphLevel
from pipeline.models.fusion.hgfn import HGFN
from pipeline.models.fusion.pair_network import PairNetwork


class Vertex(nn.Module):
    """CONV of eq. 3 as one would write it: Conv1d, LeakyReLU, Linear, LeakyReLU."""

    def __init__(self, network: PairNetwork) -> None:
        super().__init__()
        self.conv = nn.Conv1d(1, network.conv.out_channels, 5, padding="same")
        self.conv.load_state_dict(network.conv.state_dict())
        weight = torch.cat(list(network.dense), dim=1).detach()  # inputs: position, channel
        outputs, inputs = weight.shape
        self.dense = nn.Linear(inputs, outputs)
        by_channel = weight.unflatten(1, (-1, network.conv.out_channels)).transpose(1, 2)
        with torch.no_grad():
            self.dense.weight.copy_(by_channel.flatten(1))
            self.dense.bias.copy_(network.bias)

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        """One vertex (B, D) of two partners (B, D)."""
        signal = functional.leaky_relu(self.conv(torch.cat([a, b], dim=1).unsqueeze(1)))
        return functional.leaky_relu(self.dense(signal.flatten(1)))


class Attention(nn.Module):
    """Scalar weights of eq. 1 as one would write them: Conv2d, LeakyReLU, Conv2d, LeakyReLU."""

    def __init__(self, unit: DynamicAttentionUnit) -> None:
        super().__init__()
        kernel = (unit.conv.kernel_size[0], unit.conv.kernel_size[1])
        self.conv = nn.Conv2d(1, unit.conv.out_channels, kernel, padding="same")
        self.conv.load_state_dict(unit.conv.state_dict())
        self.mix = nn.Conv2d(unit.conv.out_channels, 1, 1)
        mix = unit.mix.state_dict()
        self.mix.load_state_dict({"weight": mix["weight"][:, :, None, None], "bias": mix["bias"]})

    def forward(self, units: Tensor) -> Tensor:
        """Weights (B, M, 1) of vectors (B, M, D)."""
        maps = functional.leaky_relu(self.conv(units.unsqueeze(1)))
        return functional.leaky_relu(self.mix(maps)).squeeze(1).mean(dim=2, keepdim=True)


class VertexByVertex(nn.Module):
    """HGFN at M <= 3 with everything present, eqs 3 to 6 for one vertex after the other.

    Args:
        fusion: whose parameters are copied.
        plain: eq. 1 with Conv2d too; otherwise it is the fusion's own unit.
    """

    def __init__(self, fusion: HGFN, plain: bool = True) -> None:
        super().__init__()
        self.align = fusion.align
        self.attention = Attention(fusion.attention) if plain else fusion.attention
        levels = [level for level in fusion.graph if isinstance(level, GraphLevel)]
        self.theta = levels[0].theta
        self.pairs = [list(zip(g.left.tolist(), g.right.tolist(), strict=True)) for g in levels]
        self.networks = nn.ModuleList(Vertex(level.network) for level in levels)

    def forward(self, inputs: list[Tensor]) -> Tensor:
        """Fuse vectors (B, d_m) in the stored order to (B, levels * D)."""
        everything = torch.ones(len(inputs[0]), len(inputs), dtype=torch.bool)
        units = self.align(inputs, everything)
        w = self.attention(units)
        levels = [(w * units).mean(dim=1)]
        vectors, weights = list(units.unbind(1)), list(w.squeeze(2).unbind(1))
        pool, shares = vectors, weights
        for pairs, network in zip(self.pairs, self.networks, strict=True):
            vertices = [network(pool[a], pool[b]) for a, b in pairs]
            scores = [self.score(pool[a], pool[b], shares[a] + shares[b]) for a, b in pairs]
            share = torch.stack(scores, dim=1).softmax(dim=1)
            levels.append(
                sum((share[:, p, None] * V for p, V in enumerate(vertices)), torch.zeros(()))
            )
            pool, shares = vertices + vectors, list(share.unbind(1)) + weights
        return torch.cat(levels, dim=1)

    def score(self, a: Tensor, b: Tensor, weight: Tensor) -> Tensor:
        """q of eq. 5, (B,)."""
        S = functional.cosine_similarity(a.softmax(dim=1), b.softmax(dim=1), dim=1)
        return weight / (S + self.theta)


def sides(size: Size) -> dict[str, Callable[[], Tensor]]:
    """Forward and backward passes of the same numbers, each returning the joint vector."""
    torch.manual_seed(0)
    fusion = HGFN(size.widths, width=size.width)
    plain, rest = VertexByVertex(fusion), VertexByVertex(fusion, plain=False)
    features = make_features(size)
    inputs = [features[name] for name in fusion.modalities]
    return {
        "batched": lambda: _there_and_back(fusion, fusion(features).joint),
        "plain": lambda: _there_and_back(plain, plain(inputs)),
        "rest shared": lambda: _there_and_back(rest, rest(inputs)),
    }


def _there_and_back(module: nn.Module, joint: Tensor) -> Tensor:
    module.zero_grad()
    joint.square().mean().backward()
    return joint.detach()


def measure(size: Size, repeats: int) -> list[Ratio]:
    """Time them on the same vectors."""
    times = interleaved(sides(size), repeats)
    what, limit = "HGFN forward + backward /", 0.5
    return [
        Ratio(f"{what} one call a vertex, in torch's layers", *_of(times, "plain"), limit),
        Ratio(f"{what} one call a vertex, eq. 1 as ours", *_of(times, "rest shared")),
    ]


def _of(times: dict[str, Times], other: str) -> tuple[Times, Times]:
    return times["batched"], times[other]
