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
# Of a row with everything and a row without audio: the first row's last two columns of the joint
# vector, both rows' first two, both rows' sums, and the sum of the gradient with respect to text.
VALUES: dict[str, list[float]] = {
    "cfc": [
        1.2235876501880352,
        0.0809331308439733,
        1.5,
        0.9324149524059966,
        0.0,
        0.0,
        1.4680555204908528,
        1.1424661430445187,
        -1.5629396443348975,
    ],
    "dmf": [
        0.0,
        0.4420077672084808,
        0.0,
        0.0,
        0.6630976382015557,
        0.0,
        0.4420077672084808,
        0.6630976382015557,
        -0.2416530953717167,
    ],
    "gfn": [
        -0.258349033860833,
        -0.5376002511255332,
        -0.5075962622093748,
        -0.54953412170522,
        -0.5074888092405582,
        -0.6234507227849534,
        0.8946387617897114,
        0.5528399724447498,
        -0.01862411182575904,
    ],
    "hgfn": [
        0.8134666981053855,
        1.625245722597923,
        0.24175935356666625,
        0.6143059381447169,
        0.30989586753186743,
        0.7259916028843787,
        17.311659497017587,
        9.050687030472007,
        -0.3154063169483542,
    ],
    "matf": [
        0.48553307239387267,
        1.2580720474869178,
        2.060821664546827,
        -0.6376522530521769,
        0.0,
        0.0,
        2.6334217098134123,
        4.54309770306602,
        -0.6044455051424418,
    ],
}


@pytest.mark.parametrize("name", sorted(FUSIONS))
def test_values(name: str, filled: Any, batch: Any) -> None:
    fusion = filled(FUSIONS[name]).eval()
    features = batch(DIMS, 2)
    features["text"].requires_grad_()
    everything = torch.tensor([True, True])
    present = {"visual": everything, "text": everything, "audio": torch.tensor([True, False])}
    joint = fusion(features, present).joint
    joint.square().sum().backward()
    gradient = features["text"].grad
    assert gradient is not None
    actual = [*joint[0, -2:], *joint[:, :2].flatten(), *joint.sum(dim=1), gradient.sum()]
    expected = torch.tensor(VALUES[name], dtype=torch.float64)
    torch.testing.assert_close(torch.stack(actual), expected, rtol=1e-10, atol=1e-12)
