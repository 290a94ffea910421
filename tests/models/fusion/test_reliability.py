"""A problem made for weights that follow the sample: one modality tells the label, and shows it."""

from __future__ import annotations

from functools import cache
from statistics import mean
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from pipeline.models.fusion import build_fusion
from pipeline.models.network import Trunk

WIDTH = 32
DIMS = {"audio": WIDTH, "text": WIDTH, "visual": WIDTH}
READINGS: dict[str, tuple[str, dict[str, str]]] = {
    "projected": ("projected", {}),
    "linear": ("hgfn", {}),
    "linear, uniform": ("hgfn", {"vertex_weights": "uniform"}),
    "pad": ("hgfn", {"align": "pad"}),
    "pad, uniform": ("hgfn", {"align": "pad", "vertex_weights": "uniform"}),
    "pad, mean": ("hgfn", {"align": "pad", "vertex_weights": "mean"}),
}


class Result(NamedTuple):
    accuracy: float
    spread: float  # standard deviation over rows of the importances


def reliability(rows: int, seed: int, rotate: bool) -> tuple[dict[str, Tensor], Tensor]:
    """Half of a modality's features hold a sign, half whether the sign is the label's.

    It is in one modality of three, and random in the others. All features of a half say the same,
    under noise of 1.5; ``rotate`` turns the features of each modality, so that none says anything
    that its neighbours say too.
    """
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(0, 2, (rows,), generator=generator)
    reliable = torch.randint(0, 3, (rows,), generator=generator)
    features = {}
    for m, name in enumerate(DIMS):
        random = torch.randint(0, 2, (rows,), generator=generator)
        sign = 2.0 * torch.where(reliable == m, labels, random) - 1
        marker = 2.0 * (reliable == m) - 1
        noise = 1.5 * torch.randn(rows, WIDTH, generator=generator)
        x = torch.stack([sign, marker], dim=1).repeat_interleave(WIDTH // 2, dim=1) + noise
        if rotate:
            turn = torch.randn(WIDTH, WIDTH, generator=torch.Generator().manual_seed(m))
            x = x @ torch.linalg.qr(turn).Q
        features[name] = x
    return features, labels.float()


@cache
def trained(reading: str, seed: int, rotate: bool) -> Result:
    """Train a fusion, the shared layer and one output on 150 rows; score it on 1,000 others."""
    torch.manual_seed(seed)
    name, options = READINGS[reading]
    fusion = build_fusion(name, DIMS, width=16, **options)
    network = nn.Sequential(Trunk(fusion.joint_dim, 16, dropout=0.0), nn.Linear(16, 1))
    optimizer = torch.optim.Adam([*fusion.parameters(), *network.parameters()], lr=1e-2)
    features, labels = reliability(150, 1000 + seed, rotate)
    for _ in range(40):
        logits = network(fusion(features).joint).squeeze(1)
        loss = functional.binary_cross_entropy_with_logits(logits, labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    features, labels = reliability(1000, 3000, rotate)
    with torch.no_grad():
        fused = fusion.eval()(features)
        accuracy = ((network(fused.joint).squeeze(1) > 0) == labels.bool()).float().mean().item()
    importances = fused.weights.get("unimodal", torch.zeros(2, 3))
    return Result(accuracy, importances.std(dim=0).mean().item())


def accuracy(reading: str, rotate: bool = False) -> float:
    return mean(trained(reading, seed, rotate).accuracy for seed in range(3))


def test_weights_that_follow_the_sample_decide_the_score() -> None:
    learned = accuracy("pad")
    assert learned > 0.95
    assert learned > accuracy("pad, uniform") + 0.06
    assert learned > accuracy("pad, mean") + 0.06
    assert learned > accuracy("projected") + 0.2


def test_importances_respond_behind_zero_padding_and_hardly_behind_projections() -> None:
    assert min(trained("pad", seed, False).spread for seed in range(3)) > 1.0
    assert max(trained("linear", seed, False).spread for seed in range(3)) < 0.3
    assert abs(accuracy("linear") - accuracy("linear, uniform")) < 0.05


def test_weights_decide_nothing_where_neighbouring_features_do_not_agree() -> None:
    assert abs(accuracy("pad", rotate=True) - accuracy("pad, uniform", rotate=True)) < 0.05
