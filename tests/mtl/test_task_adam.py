from __future__ import annotations

import torch

from pipeline.mtl.task_adam import TaskAdam


def test_it_steps_as_torchs_adam_does():
    oracle = torch.nn.Parameter(torch.zeros(3, dtype=torch.float64))
    optimizer = torch.optim.Adam([oracle], lr=0.1)
    adam, values = TaskAdam(3, 0.1).double(), torch.zeros(3, dtype=torch.float64)
    for k in range(20):
        gradient = torch.sin(torch.arange(3, dtype=torch.float64) + k)
        oracle.grad = gradient
        optimizer.step()
        values = adam.step(values, gradient, torch.arange(3))
    torch.testing.assert_close(values, oracle.detach())


def test_a_task_steps_only_where_it_is_labelled():
    """The second task misses every other batch, and moves as if these had not been."""
    gradients = torch.sin(torch.arange(8, dtype=torch.float64))
    adam, values = TaskAdam(2, 0.1).double(), torch.zeros(2, dtype=torch.float64)
    alone, value = TaskAdam(1, 0.1).double(), torch.zeros(1, dtype=torch.float64)
    for k, gradient in enumerate(gradients):
        index = torch.tensor([0, 1] if k % 2 else [0])
        values = adam.step(values, gradient.expand(len(index)), index)
        if k % 2:
            value = alone.step(value, gradient[None], torch.tensor([0]))
    assert values[1] == value[0]
