"""Encoders of a sequence of feature vectors: one vector, and the weight of each step."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from pipeline.models.masking import masked_softmax, valid_steps


class AttentiveBiGRU(nn.Module):
    """Two bidirectional GRU layers and additive attention pooling over their states.

    a_t = softmax over valid t of u . tanh(W h_t + b); the vector is sum_t a_t h_t ("2 Bi-GRU
    layers with attention enabled", section IV-B).

    Args:
        input_dim: width d of a step.
        hidden: h, width of one direction; the vector is ``dim`` = 2h wide.
        dropout: between the GRU layers.
    """

    def __init__(self, input_dim: int, hidden: int = 128, dropout: float = 0.0) -> None:
        super().__init__()
        self.dim = 2 * hidden
        self.gru = BidirectionalGRU(input_dim, hidden, layers=2, dropout=dropout)
        self.key = nn.Linear(self.dim, self.dim)
        self.query = nn.Linear(self.dim, 1, bias=False)

    def forward(
        self, x: Float[Tensor, "b t d"], lengths: Int[Tensor, " b"]
    ) -> tuple[Float[Tensor, "b h"], Float[Tensor, "b t"]]:
        """Encode the first ``lengths[b]`` steps of each row to (B, 2h), attention (B, T).

        The contents of padded steps have no influence; a row of length 0 gives zeros.
        """
        rows, steps, _ = x.shape
        if steps == 0:  # no row has this modality
            return x.new_zeros(rows, self.dim), x.new_zeros(rows, 0)
        valid = valid_steps(lengths, steps)
        states = self.gru(torch.where(valid.unsqueeze(-1), x, 0.0), lengths)
        scores = self.query(self.key(states).tanh())  # (B, T, 1)
        attention = masked_softmax(scores, valid)
        return (attention * states).sum(dim=1), attention.squeeze(-1)


class PooledVector(nn.Module):
    """Mean over the valid steps, without parameters.

    Args:
        input_dim: width d of a step, and of the vector (``dim``).
    """

    def __init__(self, input_dim: int) -> None:
        super().__init__()
        self.dim = input_dim

    def forward(
        self, x: Float[Tensor, "b t d"], lengths: Int[Tensor, " b"]
    ) -> tuple[Float[Tensor, "b d"], Float[Tensor, "b t"]]:
        """Average the first ``lengths[b]`` steps to (B, d); the weights (B, T) are equal."""
        valid = valid_steps(lengths, x.shape[1])
        weights = valid.to(x.dtype) / lengths.clamp(min=1).unsqueeze(1)
        clean = torch.where(valid.unsqueeze(-1), x, 0.0)
        return (weights.unsqueeze(-1) * clean).sum(dim=1), weights


class BidirectionalGRU(nn.Module):
    """The function of ``nn.GRU(bidirectional=True)`` on packed rows.

    The second direction reads each row's own steps in reverse. Padded rows train in three quarters
    of the time of packed ones on a CPU, which cuts packed rows into one slice for each step.

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
        for layer, (ahead, back) in enumerate(zip(self.forwards, self.backwards, strict=True)):
            if layer:
                x = self.dropout(x)
            reverse = reverse_rows(back(reverse_rows(x, lengths))[0], lengths)
            x = torch.cat([ahead(x)[0], reverse], dim=2)
        return x.transpose(0, 1)


def reverse_rows(x: Float[Tensor, "t b d"], lengths: Int[Tensor, " b"]) -> Float[Tensor, "t b d"]:
    """Reverse the first ``lengths[b]`` steps of each row b; the rest stays in place."""
    steps = torch.arange(x.shape[0], device=x.device).unsqueeze(1)
    source = torch.where(steps < lengths, lengths - 1 - steps, steps)  # (T, B)
    return x[source, torch.arange(x.shape[1], device=x.device)]


def build_encoder(
    name: str, input_dim: int, hidden: int = 128, dropout: float = 0.0
) -> AttentiveBiGRU | PooledVector:
    """Build the encoder "bigru" or "pooled"; `hidden` and `dropout` are for "bigru".

    Raises:
        ValueError: for another name.
    """
    if name == "bigru":
        return AttentiveBiGRU(input_dim, hidden, dropout)
    if name == "pooled":
        return PooledVector(input_dim)
    raise ValueError(f"unknown encoder {name!r}; allowed: bigru, pooled")
