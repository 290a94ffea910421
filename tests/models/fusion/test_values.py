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
from pipeline.models.fusion.projected import Projected

DIMS = {"visual": 5, "text": 4, "audio": 3}
FUSIONS = {
    "cfc": CFC(DIMS),
    "dmf": DMF(DIMS, width=4),
    "gfn": GFN(DIMS, width=3, hidden=2),
    "hgfn": HGFN(DIMS, width=8),
    "matf": MATF(DIMS, width=2),
    "projected": Projected(DIMS, width=4),
}
# The joint vector's sum for a row with everything and for a row without audio, its last column, and
# the sum of the gradient with respect to text.
VALUES = {
    "cfc": [1.468055520491, 1.142466143045, 0.08093313084397, -1.562939644335],
    "dmf": [0.9427050682239, 0.3654662850185, 0.9427050682239, -0.3153360343915],
    "gfn": [0.8946387617897, 0.5528399724447, -0.5376002511255, -0.01862411182576],
    "hgfn": [17.31165949702, 9.050687030472, 1.625245722598, -0.3154063169484],
    "matf": [2.51498064146, 4.831845665321, 1.396613231172, 0.06549347672528],
    "projected": [2.58334667031, 2.020039558543, 1.204887512977, -0.04376079930552],
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
