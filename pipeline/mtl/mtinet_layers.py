"""MTI-Net's building blocks on vectors; a 1x1 or 3x3 convolution becomes a Linear."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import batch_norm

MASKS = ("tasks", "channels")


class BatchNorm(nn.BatchNorm1d):
    """Batch normalisation that also takes a batch of one row in training.

    One row has no variance: it is normalised by the running statistics, and does not change them.
    """

    def forward(self, x: Float[Tensor, "b d"]) -> Float[Tensor, "b d"]:
        """Normalise x (B, d)."""
        if self.training and len(x) == 1:
            return batch_norm(
                x, self.running_mean, self.running_var, self.weight, self.bias, eps=self.eps
            )
        return super().forward(x)


class ResidualBlock(nn.Module):
    """relu(x + Linear-BN-ReLU-Linear-BN(x)), with a Linear on the skip path where widths differ."""

    def __init__(self, inputs: int, width: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Linear(inputs, width, bias=False),
            BatchNorm(width),
            nn.ReLU(),
            nn.Linear(width, width, bias=False),
            BatchNorm(width),
        )
        self.skip = nn.Identity() if inputs == width else nn.Linear(inputs, width, bias=False)

    def forward(self, x: Float[Tensor, "b i"]) -> Float[Tensor, "b w"]:
        """Map x (B, inputs) to (B, width)."""
        return torch.relu(self.body(x) + self.skip(x))


class SqueezeExcitation(nn.Module):
    """x * sigmoid(W2 relu(W1 x)); on a vector the spatial mean is the vector itself."""

    def __init__(self, width: int) -> None:
        super().__init__()
        bottleneck = max(width // 16, 4)
        self.gate = nn.Sequential(
            nn.Linear(width, bottleneck), nn.ReLU(), nn.Linear(bottleneck, width), nn.Sigmoid()
        )

    def forward(self, x: Float[Tensor, "b d"]) -> Float[Tensor, "b d"]:
        """Gate x (B, d)."""
        return x * self.gate(x)


class FeaturePropagation(nn.Module):
    """What a level passes to the next finer one: each task's features, plus a vector shared by all.

    All tasks' features are concatenated, refined, and turned into a softmaxed mask; the masked
    features are reduced to one vector, which each task gates for itself and adds.

    mask: "tasks", softmaxed over the tasks in each feature, as the paper describes it; "channels",
        over F neighbouring channels of the concatenation, as its code does, and those mostly
        belong to one task.
    """

    def __init__(self, tasks: int, width: int, mask: str = "tasks") -> None:
        super().__init__()
        self.tasks, self.over = tasks, mask
        inner = max(tasks * width // 4, 1)
        self.refine = nn.Sequential(
            ResidualBlock(tasks * width, inner),
            ResidualBlock(inner, inner),
            nn.Linear(inner, tasks * width),
        )
        self.reduce = ResidualBlock(tasks * width, width)
        self.gates = nn.ModuleList(SqueezeExcitation(width) for _ in range(tasks))

    def mask(self, features: Float[Tensor, "b f d"]) -> Float[Tensor, "b f d"]:
        """Return the weight of each task in each feature (B, F, d)."""
        scores = self.refine(features.flatten(1))  # (B, F d)
        if self.over == "tasks":
            return scores.view_as(features).softmax(dim=1)
        return scores.unflatten(1, (-1, self.tasks)).softmax(dim=2).reshape_as(features)

    def forward(self, features: Float[Tensor, "b f d"]) -> Float[Tensor, "b f d"]:
        """Map all tasks' features (B, F, d) to what each receives (B, F, d)."""
        shared = self.reduce((self.mask(features) * features).flatten(1))  # (B, d)
        return features + torch.stack([gate(shared) for gate in self.gates], dim=1)


class Distillation(nn.Module):
    """o_t = x_t + sum over the other tasks a of sigmoid(G_ta x_a) * (V_ta x_a), without biases."""

    def __init__(self, tasks: int, width: int) -> None:
        super().__init__()
        self.tasks, self.width = tasks, width
        # One matrix per source holds the pairs (G, V) for all other tasks: the same weights, in
        # F products instead of 2 F (F - 1).
        others = 2 * (tasks - 1) * width
        self.sources = nn.ModuleList(
            nn.Linear(width, others, bias=False) for _ in range(tasks if tasks > 1 else 0)
        )

    def forward(self, features: Float[Tensor, "b f d"]) -> Float[Tensor, "b f d"]:
        """Mix all tasks' features (B, F, d); a single task's do not change."""
        mixed = list(features.unbind(dim=1))
        for a, source in enumerate(self.sources):
            gates, values = (
                source(features[:, a]).unflatten(1, (2, self.tasks - 1, self.width)).unbind(1)
            )
            messages = torch.sigmoid(gates) * values  # (B, F - 1, d)
            targets = [t for t in range(self.tasks) if t != a]
            for t, message in zip(targets, messages.unbind(dim=1), strict=True):
                mixed[t] = mixed[t] + message
        return torch.stack(mixed, dim=1)
