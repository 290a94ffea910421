"""Multi-Agent Tensor Fusion (Zhao et al. 2019), with modalities as the agents."""

from __future__ import annotations

from collections.abc import Mapping
from math import ceil, sqrt
from typing import ClassVar

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional

from pipeline.models.fusion.base import Fused, Fusion, Options


class MATF(Fusion):
    """Each modality has a cell of a small grid; convolutions mix the cells.

    The original places trajectory encodings on a map of the scene, convolves it, and adds to each
    agent's encoding the content of its cell. Here an agent is a modality, a channel is a feature,
    and the cell of modality m (in the stored order) is (m div g, m mod g) on a square grid of side
    g = ceil(sqrt(M)). A 3 x 3 kernel on a 2 x 2 grid joins all modalities at once. The cell of an
    absent modality is 0, and so is its slice of the result. There are no levels.

    The normalisation is over each row's own map (GroupNorm with one group): the original's
    BatchNorm cannot take the 1 x 1 map of a batch of one, and would mix present with absent.

    Args:
        dims: width d_m of each modality's vector.
        width: D; C, the width of a modality on the grid, unless ``channels`` gives another.
        channels: C.
        scene: "zeros" (no scene; its channels would be inert and are left out) or "learned" (a
            constant map beside the modalities).

    Raises:
        ValueError: for an option outside its range.
    """

    takes = ("width",)
    options: ClassVar[Options] = {"channels": int, "scene": ("zeros", "learned")}

    def __init__(
        self,
        dims: Mapping[str, int],
        width: int = 256,
        channels: int | None = None,
        scene: str = "zeros",
    ) -> None:
        super().__init__(dims)
        channels = width if channels is None else channels
        self.check_options({"channels": channels, "scene": scene})
        count = len(self.modalities)
        self.side = ceil(sqrt(count))
        self.joint_dim = count * channels
        self.encoders = nn.ModuleList(nn.Linear(dim, channels) for dim in self.dims)
        learned = scene == "learned"
        self.scene = nn.Parameter(torch.zeros(channels, self.side, self.side)) if learned else None
        self.fine = _block((2 if learned else 1) * channels, channels)
        self.coarse: nn.Sequential | None = None
        if self.side > 1:  # a single cell has a single scale
            self.coarse = nn.Sequential(
                nn.MaxPool2d(2, ceil_mode=True),
                _block(channels, channels),
                nn.ConvTranspose2d(channels, channels, kernel_size=4, stride=2, padding=1),
                nn.GroupNorm(1, channels),
                nn.ReLU(),
            )

    def forward(
        self,
        features: Mapping[str, Float[Tensor, "b _"]],
        present: Mapping[str, Bool[Tensor, " b"]] | None = None,
    ) -> Fused:
        """Fuse vectors (B, d_m) to ``joint`` (B, M * C)."""
        inputs, mask = self.masked_inputs(features, present)
        agents = torch.stack(
            [encode(x) for encode, x in zip(self.encoders, inputs, strict=True)], 1
        )
        agents = torch.where(mask.unsqueeze(2), agents, 0.0)  # (B, M, C)
        fetched = self._mix(self._place(agents)).flatten(2)[:, :, : agents.shape[1]]
        fused = torch.where(mask.unsqueeze(2), fetched.transpose(1, 2) + agents, 0.0)
        return Fused(fused.flatten(1), [], {"absent": ~mask.any(dim=1)})

    def _place(self, agents: Float[Tensor, "b m c"]) -> Float[Tensor, "b c g g"]:
        """Write the positive part of each agent into its cell; the others are 0."""
        cells = self.side**2
        padded = functional.pad(agents.relu().transpose(1, 2), (0, cells - agents.shape[1]))
        return padded.unflatten(2, (self.side, self.side))

    def _mix(self, canvas: Float[Tensor, "b c g g"]) -> Float[Tensor, "b c g g"]:
        """Sum of a fine and a coarse convolution of the canvas."""
        if self.scene is not None:
            canvas = torch.cat([canvas, self.scene.expand_as(canvas)], dim=1)
        fine = self.fine(canvas)
        if self.coarse is None:
            return fine
        # An odd side is rounded up by the pooling: the map comes back one cell larger.
        return fine + self.coarse(fine)[:, :, : self.side, : self.side]


def _block(channels_in: int, channels_out: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(channels_in, channels_out, kernel_size=3, padding=1),
        nn.GroupNorm(1, channels_out),
        nn.ReLU(),
    )
