"""The layers of SoundNet-8 (Aytar et al. 2016), and the network of them."""

from __future__ import annotations

from typing import NamedTuple

from jaxtyping import Float
from torch import Tensor, nn


class Convolution(NamedTuple):
    """One layer; `pool` is window and stride of the maximum after it, 1 for none."""

    filters: int
    kernel: int
    stride: int
    padding: int
    pool: int = 1


# As in the network that its authors released.
BLOCKS = {
    1: Convolution(16, 64, 2, 32, pool=8),
    2: Convolution(32, 32, 2, 16, pool=8),
    3: Convolution(64, 16, 2, 8),
    4: Convolution(128, 8, 2, 4),
    5: Convolution(256, 4, 2, 2, pool=4),
    6: Convolution(512, 4, 2, 2),
    7: Convolution(1024, 4, 2, 2),
}
HEADS = {"conv8_objs": Convolution(1000, 8, 2, 0), "conv8_scns": Convolution(401, 8, 2, 0)}

EPSILON = 1e-5  # of Torch7's batch norm; ports with 1e-3 give other features

# The layers that `SoundNet.features` can return, with their number of channels.
LAYERS = {
    **{f"conv{k}": block.filters for k, block in BLOCKS.items()},
    **{f"pool{k}": block.filters for k, block in BLOCKS.items() if block.pool > 1},
}

AMPLITUDE = 256.0  # training samples were in [-256, 256]


class Network(nn.Module):
    """The layers under the names of the usual PyTorch ports: conv1, batchnorm1, conv2, ...

    The heads (classes of objects and scenes) are part of weights files, but give no features.
    """

    def __init__(self) -> None:
        super().__init__()
        channels = 1
        for k, block in BLOCKS.items():
            self.add_module(f"conv{k}", _convolution(channels, block))
            self.add_module(f"batchnorm{k}", nn.BatchNorm1d(block.filters, eps=EPSILON))
            channels = block.filters
        for name, head in HEADS.items():
            self.add_module(name, _convolution(channels, head))

    def forward(
        self, x: Float[Tensor, "1 1 time"], layer: str
    ) -> Float[Tensor, "1 channels steps"]:
        """Return a layer of `LAYERS`: conv1 to conv7 after their ReLU."""
        for k, block in BLOCKS.items():
            convolved = self.get_submodule(f"conv{k}")(x)
            x = self.get_submodule(f"batchnorm{k}")(convolved).relu_()
            if layer == f"conv{k}":
                return x
            x = nn.functional.max_pool1d(x, block.pool)
            if layer == f"pool{k}":
                return x
        raise ValueError(f"layer is {layer!r}; allowed: {', '.join(LAYERS)}")


def _convolution(channels: int, shape: Convolution) -> nn.Conv1d:
    return nn.Conv1d(channels, shape.filters, shape.kernel, shape.stride, shape.padding)
