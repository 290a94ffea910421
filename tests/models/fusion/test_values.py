"""Exact values of every fusion on one small batch: a change of the mathematics shows here."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from pipeline.models.fusion.cfc import CFC
from pipeline.models.fusion.dmf import DMF
from pipeline.models.fusion.gfn import GFN
from pipeline.models.fusion.hgfn import HGFN
from pipeline.models.fusion.matf import MATF

DIMS = {"visual": 5, "text": 4, "audio": 3}
FUSIONS = {
    "cfc": CFC(DIMS),
    "dmf": DMF(DIMS, (4, 3, 3)),
    "gfn": GFN(DIMS, width=3, hidden=2),
    "hgfn": HGFN(DIMS, width=8),
    "matf": MATF(DIMS, channels=2),
}
# The joint vector's sum for a row with everything and for a row without audio, its last column, and
# the sum of the gradient with respect to text.
VALUES = {
    "cfc": [1.468055520491, 1.142466143045, 0.08093313084397, -1.562939644335],
    "dmf": [0.4420077672085, 0.6630976382016, 0.4420077672085, -0.2416530953717],
    "gfn": [0.8946387617897, 0.5528399724447, -0.5376002511255, -0.01862411182576],
    "hgfn": [17.31165949702, 9.050687030472, 1.625245722598, -0.3154063169484],
    "matf": [2.633421709813, 4.543097703066, 1.258072047487, -0.6044455051424],
}


@pytest.mark.parametrize("name", FUSIONS)
def test_values(name: str, filled: Any, batch: Any) -> None:
    fusion = filled(FUSIONS[name]).eval()
    features = batch(DIMS, 2)
    features["text"].requires_grad_()
    everything = torch.tensor([True, True])
    present = {"visual": everything, "text": everything, "audio": torch.tensor([True, False])}
    joint = fusion(features, present).joint
    joint.square().sum().backward()
    assert features["text"].grad is not None
    actual = torch.stack([*joint.sum(dim=1), joint[0, -1], features["text"].grad.sum()])
    expected = torch.tensor(VALUES[name], dtype=torch.float64)
    torch.testing.assert_close(actual, expected, rtol=1e-10, atol=1e-12)
