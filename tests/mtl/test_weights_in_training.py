"""What the methods' weights do to a rare task and to a solved one, in training and in theory."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from pipeline.mtl import Task, build_mtl
from pipeline.mtl.balancing import balancing_gradient, rebalanced, renormalised
from pipeline.mtl.method import Predictions

COMMON, RARE = (
    Task(name, ("no", "yes"), negative="no", head="sigmoid") for name in ("often", "rare")
)
ROWS = 400


def problem() -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    """Two equally noisy tasks of separate features: one positive in 2 rows, and one in 20."""
    generator = torch.Generator().manual_seed(4)
    x = torch.randn(ROWS, 8, generator=generator, dtype=torch.float64)
    noisy = x[:, :2] + 0.5 * torch.randn(ROWS, 2, generator=generator, dtype=torch.float64)
    often = noisy[:, 0] > 0
    rare = noisy[:, 1] > noisy[:, 1].quantile(0.95)
    return x, {"often": often.long(), "rare": rare.long()}


class Network(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.trunk = nn.Linear(8, 16).double()
        self.heads = nn.ModuleList(nn.Linear(16, 1).double() for _ in range(2))

    def forward(self, x: torch.Tensor) -> Predictions:
        joint = torch.tanh(self.trunk(x))
        logits = {t.name: h(joint) for t, h in zip((COMMON, RARE), self.heads, strict=True)}
        return Predictions(logits, dict.fromkeys(logits, joint), joint)


def train(name: str, counted: bool = True) -> list[dict[str, float]]:
    """Weights at the end of each of twelve epochs; not `counted`, N/n_f is 1 for both tasks."""
    torch.manual_seed(0)
    network, (x, targets) = Network(), problem()
    everyone = dict.fromkeys(targets, ROWS)
    positives = {k: int(v.sum()) for k, v in targets.items()} if counted else everyone
    method = build_mtl(name, (COMMON, RARE), positives=positives, labelled=everyone).double()
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-2)
    epochs = []
    for _ in range(12):
        for rows in torch.arange(ROWS).split(40):
            labels = {k: v[rows] for k, v in targets.items()}
            objective = method.objective(network(x[rows]), labels)
            optimizer.zero_grad()
            objective.loss.backward()
            optimizer.step()
            method.on_step()
        method.on_epoch_end()
        epochs.append(method.weights)
    return epochs


def test_dmtl_gives_a_task_ten_times_rarer_more_weight_and_equal_weights_give_it_none() -> None:
    assert set(train("lsew")[-1].values()) == {1.0}
    for weights in train("dmtl")[1:]:
        assert weights["rare"] > 1.2 * weights["often"]
        assert sum(weights.values()) == pytest.approx(2.0)


def test_the_rare_tasks_weight_comes_from_its_small_loss_and_not_from_its_rarity() -> None:
    """With N/n_f = 1 for both it ends where it ends with 2 and 20."""
    counted, uncounted = train("dmtl"), train("dmtl", counted=False)
    assert uncounted[-1]["rare"] == pytest.approx(counted[-1]["rare"], rel=0.05)


def test_resetting_the_weights_gives_a_solved_task_nearly_all() -> None:
    """Weights in proportion to 1 / loss: what is nearly learned drowns what is not."""
    losses = torch.tensor([0.5, 0.4, 1e-4], dtype=torch.float64)
    weights = rebalanced(torch.ones_like(losses), losses, 3.0)
    assert weights[2] > 0.99 * 3
    assert weights[:2].max() < 0.005


def test_equal_gradient_norms_give_a_solved_task_nearly_all_the_weight() -> None:
    """w_f g_f equal for all tasks and sum w = F: as g_f of one vanishes, its w_f nears F."""
    norms = torch.tensor([0.5, 0.4, 1e-3], dtype=torch.float64)
    ones, weights = torch.ones(3, dtype=torch.float64), torch.ones(3, dtype=torch.float64)
    for rate in torch.linspace(0.01, 0, 4000).tolist():
        moved = weights - rate * balancing_gradient(weights, norms, ones, ones, 0.0)
        weights = renormalised(moved, 3.0)
    assert weights[2] > 0.95 * 3


@pytest.mark.parametrize(
    ("normaliser", "lowest", "highest"),
    [("none", 0.9999, 1), ("l2", 0.49, 0.51), ("loss", 0.1, 0.6), ("loss+", 0, 1e-4)],
)
def test_moo_gives_a_solved_task_all_the_weight_without_a_normaliser_and_none_with_loss_plus(
    normaliser: str, lowest: float, highest: float
) -> None:
    """The smallest point of the hull is near the smallest gradient, whatever the others need."""
    torch.manual_seed(0)
    network, (x, targets) = Network(), problem()
    predictions = network(x)
    certain = 20.0 * (2 * targets["rare"][:, None].double() - 1)
    logits = predictions.logits | {"rare": certain + predictions.logits["rare"]}
    method = build_mtl("moo", (COMMON, RARE), normaliser=normaliser).double()
    solved = Predictions(logits, predictions.hidden, predictions.shared)
    losses = method.objective(solved, targets).task_losses
    method.on_step()
    assert losses["rare"] < 1e-6 < losses["often"]
    assert lowest <= method.weights["rare"] <= highest


@pytest.mark.parametrize("factor", [0.1, 7.0])
def test_a_constant_weight_changes_nothing_in_a_tasks_own_layer_under_adam(factor: float) -> None:
    """Adam divides by the gradient's size: w_f acts through what the tasks share, or not at all."""
    trajectories = []
    for weight in (1.0, factor):
        torch.manual_seed(0)
        layer, (x, targets) = nn.Linear(8, 1).double(), problem()
        optimizer = torch.optim.Adam(layer.parameters(), lr=1e-2, eps=1e-15)
        for _ in range(30):
            loss = nn.functional.binary_cross_entropy_with_logits(
                layer(x).squeeze(1), targets["rare"].double()
            )
            optimizer.zero_grad()
            (weight * loss).backward()
            optimizer.step()
        trajectories.append(layer.weight.detach())
    torch.testing.assert_close(*trajectories, rtol=1e-9, atol=1e-12)
