"""SoundNet-8's layers as a table (Aytar et al. 2016, the network as the authors released it)."""

from __future__ import annotations

from typing import NamedTuple


class Convolution(NamedTuple):
    """One row of the network's table; `pool` is window and stride of the maximum, 1 for none."""

    filters: int
    kernel: int
    stride: int
    padding: int
    pool: int = 1


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

EPSILON = 1e-5  # Torch7's batch norm; ports with 1e-3 give other features


def shapes() -> dict[str, tuple[int, ...]]:
    """Return the shape of every tensor: conv1.weight [filters, channels, kernel] and so on."""
    found: dict[str, tuple[int, ...]] = {}
    channels = 1
    for k, block in BLOCKS.items():
        found |= _convolution(f"conv{k}", channels, block)
        for name in ("weight", "bias", "running_mean", "running_var"):
            found[f"batchnorm{k}.{name}"] = (block.filters,)
        channels = block.filters
    for name, head in HEADS.items():
        found |= _convolution(name, channels, head)
    return found


def _convolution(name: str, channels: int, row: Convolution) -> dict[str, tuple[int, ...]]:
    return {
        f"{name}.weight": (row.filters, channels, row.kernel),
        f"{name}.bias": (row.filters,),
    }
