from __future__ import annotations

from typing import Any

import torch

from pipeline.models.fusion import build_fusion


def test_joint_is_the_concatenation_in_sorted_order(batch: Any) -> None:
    dims = {"visual": 4, "audio": 2, "text": 3}
    fusion = build_fusion("cfc", dims)
    features = batch(dims, 2)
    out = fusion(features)
    expected = torch.cat([features["audio"], features["text"], features["visual"]], dim=1)
    assert torch.equal(out.joint, expected)
    assert fusion.joint_dim == 9
    assert out.levels == fusion.level_dims == []


def test_nothing_is_learned() -> None:
    assert list(build_fusion("cfc", {"a": 2, "b": 3}).parameters()) == []
