"""Gradient descent on the loss weights, with its state in buffers and each task on its own.

torch.optim keeps its state outside the module and steps all coordinates at once; here a task
without labels in a batch must stay as it was, and a checkpoint must carry everything.
"""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn


class WeightSGD(nn.Module):
    """Plain gradient descent: the change is the learning rate times the gradient."""

    def __init__(self, tasks: int, learning_rate: float) -> None:
        super().__init__()
        self.learning_rate = learning_rate

    def change(
        self, index: Int[Tensor, " k"], gradient: Float[Tensor, " k"]
    ) -> Float[Tensor, " k"]:
        """Return what to subtract from the weights at `index`."""
        return self.learning_rate * gradient


class WeightAdam(nn.Module):
    """Adam (Kingma and Ba 2015), betas 0.9 and 0.999, with one step counter a task.

    It divides each gradient by its own size, and so cancels the constant factor N/n_f of eq. 11.
    """

    first: Tensor
    second: Tensor
    steps: Tensor

    def __init__(self, tasks: int, learning_rate: float) -> None:
        super().__init__()
        self.learning_rate = learning_rate
        self.register_buffer("first", torch.zeros(tasks))
        self.register_buffer("second", torch.zeros(tasks))
        self.register_buffer("steps", torch.zeros(tasks, dtype=torch.int64))

    def change(
        self, index: Int[Tensor, " k"], gradient: Float[Tensor, " k"]
    ) -> Float[Tensor, " k"]:
        """Return what to subtract from the weights at `index`, and advance their moments."""
        self.steps[index] += 1
        self.first[index] = 0.9 * self.first[index] + 0.1 * gradient
        self.second[index] = 0.999 * self.second[index] + 0.001 * gradient**2
        steps = self.steps[index].to(gradient)  # a power of whole numbers would be in float32
        first = self.first[index] / (1 - 0.9**steps)
        second = self.second[index] / (1 - 0.999**steps)
        return self.learning_rate * first / (second.sqrt() + 1e-8)
