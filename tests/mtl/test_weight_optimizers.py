from __future__ import annotations

import torch

from pipeline.mtl.weight_optimizers import WeightAdam, WeightSGD


def gradients(steps: int) -> torch.Tensor:
    return torch.sin(torch.arange(steps * 3, dtype=torch.float64)).view(steps, 3)


def test_sgd_is_torchs():
    weights = torch.ones(3, dtype=torch.float64, requires_grad=True)
    oracle, ours = torch.optim.SGD([weights], lr=0.025), WeightSGD(3, 0.025)
    mine = torch.ones(3, dtype=torch.float64)
    for gradient in gradients(20):
        weights.grad = gradient.clone()
        oracle.step()
        mine = mine - ours.change(torch.arange(3), gradient)
    torch.testing.assert_close(mine, weights.detach())


def test_adam_is_torchs():
    weights = torch.ones(3, dtype=torch.float64, requires_grad=True)
    oracle, ours = torch.optim.Adam([weights], lr=0.025), WeightAdam(3, 0.025).double()
    mine = torch.ones(3, dtype=torch.float64)
    for gradient in gradients(20):
        weights.grad = gradient.clone()
        oracle.step()
        mine = mine - ours.change(torch.arange(3), gradient)
    torch.testing.assert_close(mine, weights.detach(), rtol=1e-10, atol=1e-10)


def test_adam_keeps_an_absent_tasks_moments():
    every, some = WeightAdam(3, 0.1).double(), WeightAdam(3, 0.1).double()
    for gradient in gradients(5):
        every.change(torch.arange(3), gradient)
        some.change(torch.arange(3), gradient)
        some.change(torch.tensor([0, 2]), gradient[[0, 2]])
    assert some.steps.tolist() == [10, 5, 10]
    assert some.first[1] == every.first[1]
    assert some.second[1] == every.second[1]
