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
    "cfc": [
        1.4680555204908528,
        1.1424661430445187,
        0.0809331308439733,
        -1.5629396443348975,
    ],
    "dmf": [
        0.4420077672084808,
        0.6630976382015557,
        0.4420077672084808,
        -0.2416530953717167,
    ],
    "gfn": [
        0.8946387617897114,
        0.5528399724447498,
        -0.5376002511255332,
        -0.01862411182575904,
    ],
    "hgfn": [
        17.311659497017587,
        9.050687030472007,
        1.625245722597923,
        -0.3154063169483542,
    ],
    "matf": [
        2.6334217098134123,
        4.54309770306602,
        1.2580720474869178,
        -0.6044455051424418,
    ],
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
