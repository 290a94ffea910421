"""Labels that follow from two modalities together: the exclusive or of a sign in each."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from pipeline.models.fusion.base import Fusion

DIMS = {"audio": 4, "text": 4, "visual": 4}


def exclusive_or(rows: int, seed: int) -> tuple[dict[str, Tensor], Tensor]:
    """`text` and `visual` each hold a sign in one feature among noise; `audio` is noise alone."""
    generator = torch.Generator().manual_seed(seed)
    features = {m: 0.3 * torch.randn(rows, d, generator=generator) for m, d in DIMS.items()}
    signs = 2 * torch.randint(0, 2, (rows, 2), generator=generator) - 1
    features["text"][:, 1] += signs[:, 0]
    features["visual"][:, 2] += signs[:, 1]
    return features, (signs[:, 0] != signs[:, 1]).float()


def accuracy_with_linear_heads(fusion: Fusion) -> float:
    """Train the fusion and one Linear on its joint vector; score them on other rows."""
    head = nn.Linear(fusion.joint_dim, 1)
    optimizer = torch.optim.Adam([*fusion.parameters(), *head.parameters()], lr=5e-3)
    features, labels = exclusive_or(256, seed=1)
    for _ in range(120):
        scores = head(fusion(features).joint).squeeze(1)
        loss = nn.functional.binary_cross_entropy_with_logits(scores, labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    features, labels = exclusive_or(512, seed=2)
    with torch.no_grad():
        decided = head(fusion.eval()(features).joint).squeeze(1) > 0
    return (decided == labels.bool()).float().mean().item()


@pytest.mark.parametrize("name", ["dmf", "gfn", "hgfn", "matf"])
def test_fusions_that_mix_modalities_learn_the_exclusive_or_with_linear_heads(
    name: str, small: Any
) -> None:
    assert accuracy_with_linear_heads(small(name, DIMS, 16).float()) > 0.95


def test_concatenation_with_linear_heads_cannot(small: Any) -> None:
    assert accuracy_with_linear_heads(small("cfc", DIMS).float()) < 0.6
