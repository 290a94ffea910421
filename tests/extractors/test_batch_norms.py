from __future__ import annotations

from copy import deepcopy

import pytest
import torch
from torch import Tensor, nn

from pipeline.extractors.batch_norms import fold_batch_norms


class ZeroMean(nn.Conv2d):
    """A convolution that computes with other weights than its own, as weight standardisation."""

    def forward(self, x: Tensor) -> Tensor:
        return self._conv_forward(x, self.weight - self.weight.mean(), self.bias)


class Two(nn.Module):
    """A convolution and a norm, put together in one of several ways."""

    def __init__(self, way: str) -> None:
        super().__init__()
        kind = ZeroMean if way == "another convolution" else nn.Conv2d
        self.way, self.first = way, kind(3, 3, 3, padding=1)
        self.norm = nn.BatchNorm2d(3, track_running_stats=way != "norm without statistics")

    def forward(self, x: Tensor) -> Tensor:
        y = self.first(x)
        if self.way == "output used again":
            return self.norm(y) + y
        if self.way == "output changed in place":
            return self.norm(y.relu_())
        if self.way == "convolution run again":
            return self.norm(y) + self.first(2 * x)
        if self.way == "norm run again":
            return self.norm(y) + self.norm(x)
        return self.norm(y)


class PreActivated(nn.Module):
    """Norms before their convolutions; each frees memory that the next one's output takes."""

    def __init__(self) -> None:
        super().__init__()
        self.norms = nn.ModuleList(nn.BatchNorm2d(width) for width in range(3, 9))
        self.convolutions = nn.ModuleList(nn.Conv2d(width, 1, 1) for width in range(3, 9))

    def forward(self, x: Tensor) -> Tensor:
        for norm, convolution in zip(self.norms, self.convolutions, strict=True):
            x = torch.cat([x, convolution(norm(x.relu()))], 1)
        return x


def seeded(network: nn.Module) -> nn.Module:
    """The network in evaluation mode, its norms as training leaves them: no identities."""
    generator = torch.Generator().manual_seed(0)
    for name, tensor in network.state_dict().items():
        if name.endswith(("running_var", "weight")):
            tensor.uniform_(0.5, 1.5, generator=generator)
        elif name.endswith(("running_mean", "bias")):
            tensor.normal_(0, 0.3, generator=generator)
    return network.eval()


def assert_folded(network: nn.Module, expected: int) -> None:
    example = torch.rand(2, 3, 8, 8, generator=torch.Generator().manual_seed(1))
    folded = deepcopy(seeded(network))
    assert fold_batch_norms(folded, example) == expected
    assert torch.allclose(folded(example), network(example), atol=1e-5)
    norms = [sum(isinstance(m, nn.BatchNorm2d) for m in n.modules()) for n in (network, folded)]
    assert norms[1] == norms[0] - expected


def test_a_norm_behind_a_convolution_is_folded() -> None:
    assert_folded(Two("plain"), 1)
    bare = nn.Sequential(nn.Conv2d(3, 4, 3, bias=False), nn.BatchNorm2d(4, affine=False), nn.ReLU())
    assert_folded(bare, 1)


@pytest.mark.parametrize(
    "way",
    [
        "output used again",
        "output changed in place",
        "convolution run again",
        "norm run again",
        "norm without statistics",
        "another convolution",
    ],
)
def test_a_norm_that_folding_would_change_stays(way: str) -> None:
    assert_folded(Two(way), 0)


def test_norms_before_convolutions_stay() -> None:
    assert_folded(PreActivated(), 0)
