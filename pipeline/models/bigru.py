"""A bidirectional GRU over rows of different lengths, padded and not packed."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn


class BidirectionalGRU(nn.Module):
    """The function of ``nn.GRU(bidirectional=True)`` on packed rows.

    The second direction reads each row's own steps in reverse. On a CPU packed rows are cut into
    one slice a step, and the gradient of each slice is as large as all of them: rows of about one
    length train in three quarters of that time. Padding costs what it computes for nothing.

    Args:
        input_dim: width d of a step.
        hidden: h, width of one direction.
        layers: number of layers; each reads both directions of the one before.
        dropout: between the layers.
    """

    def __init__(self, input_dim: int, hidden: int, layers: int, dropout: float) -> None:
        super().__init__()
        widths = [input_dim] + [2 * hidden] * (layers - 1)
        self.forwards = nn.ModuleList(nn.GRU(d, hidden) for d in widths)
        self.backwards = nn.ModuleList(nn.GRU(d, hidden) for d in widths)
        self.dropout = nn.Dropout(dropout)

    def forward(
        self, x: Float[Tensor, "b t d"], lengths: Int[Tensor, " b"]
    ) -> Float[Tensor, "b t h"]:
        """Return the states (B, T, 2h); on the first ``lengths[b]`` steps they ignore the rest."""
        x = x.transpose(0, 1).contiguous()  # (T, B, d), as a GRU computes: no copy a layer
        for number, (ahead, back) in enumerate(zip(self.forwards, self.backwards, strict=True)):
            if number:
                x = self.dropout(x)
            reverse = reverse_rows(back(reverse_rows(x, lengths))[0], lengths)
            x = torch.cat([ahead(x)[0], reverse], dim=2)
        return x.transpose(0, 1)


def reverse_rows(x: Float[Tensor, "t b d"], lengths: Int[Tensor, " b"]) -> Float[Tensor, "t b d"]:
    """Reverse the first ``lengths[b]`` steps of each row b; what is behind them stays."""
    steps = torch.arange(len(x), device=x.device).unsqueeze(1)
    source = torch.where(steps < lengths, lengths - 1 - steps, steps)  # (T, B)
    return x[source, torch.arange(x.shape[1], device=x.device)]
