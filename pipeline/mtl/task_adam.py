"""Adam on one number a task, in buffers."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

BETAS = 0.9, 0.999
EPSILON = 1e-8


class TaskAdam(nn.Module):
    """Adam (Kingma and Ba 2015) on a vector (F,), stepping only the tasks that a batch labels.

    An optimiser of torch would also move a task without a label, by its momentum, and holds its
    state outside `state_dict`.
    """

    first: Tensor  # (F,) moments
    second: Tensor  # (F,)
    steps: Tensor  # (F,)

    def __init__(self, tasks: int, learning_rate: float) -> None:
        super().__init__()
        self.learning_rate = learning_rate
        self.register_buffer("first", torch.zeros(tasks))
        self.register_buffer("second", torch.zeros(tasks))
        self.register_buffer("steps", torch.zeros(tasks, dtype=torch.int64))

    def step(
        self, values: Float[Tensor, " f"], gradient: Float[Tensor, " k"], index: Int[Tensor, " k"]
    ) -> Float[Tensor, " f"]:
        """Return the values after a step of those at `index` against their gradient."""
        first = self.first[index].lerp(gradient, 1 - BETAS[0])
        second = self.second[index].lerp(gradient**2, 1 - BETAS[1])
        steps = self.steps[index] + 1
        count = steps.to(values)
        self.first = self.first.index_copy(0, index, first)
        self.second = self.second.index_copy(0, index, second)
        self.steps = self.steps.index_copy(0, index, steps)
        mean = first / (1 - BETAS[0] ** count)
        root = (second / (1 - BETAS[1] ** count)).sqrt()
        return values.index_add(0, index, -self.learning_rate * mean / (root + EPSILON))
