"""A training step with DMTL against one with LSEW, and against GradNorm's own algorithm."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from benchmarks.problem import Size, Trainer
from benchmarks.timing import Effort, Line, interleaved, times_as_fast
from pipeline.models.network import TaskHeads, Trunk
from pipeline.mtl.balancing import inverse_training_rates, renormalised
from pipeline.mtl.dmtl import DMTL
from pipeline.mtl.labelled import labelled_tasks, mean_losses


class GradNormTrainer(Trainer):
    """DMTL's numbers, with each gradient norm from a backward pass of its own.

    The norms are part of the graph, and the balancing loss is differentiated through them by the
    weights alone (Chen et al. 2018, algorithm 1).

    Args:
        size: of the problem.
        layer: the weights W whose gradients are balanced: "shared", the last layer that all tasks
            share (GradNorm's choice); "own", each task's last (DMTL's).
    """

    def __init__(self, size: Size, layer: str = "shared") -> None:
        super().__init__("dmtl", size)
        self.layer = layer
        assert isinstance(self.method, DMTL)
        self.balance = self.method
        self.weights = torch.ones(size.tasks, requires_grad=True)

    def layers(self) -> list[nn.Parameter]:
        """W of each task."""
        heads, trunk = self.network.heads, self.network.trunk
        assert isinstance(heads, TaskHeads)
        assert isinstance(trunk, Trunk)
        if self.layer == "own":
            return [last.get_parameter("weight") for last in heads.last]
        return [trunk[0].get_parameter("weight")] * len(heads.last)

    def step(self) -> float:
        """One training step of the network and of the task weights."""
        predictions = self.predictions()
        labelled = labelled_tasks(self.balance.tasks, self.targets)
        losses = mean_losses(labelled, predictions.logits, self.balance.beta)
        loss = (self.weights.detach() * losses).sum()
        gradient = self.weight_gradient(losses)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        self.weights.grad = None
        with torch.no_grad():
            moved = self.weights - self.balance.weight_learning_rate * gradient
            self.weights.copy_(renormalised(moved, float(len(moved))))
        return loss.item()

    def weight_gradient(self, losses: Tensor) -> Tensor:
        """dL_TDB / dw by differentiating the norms of each task's own backward pass."""
        norms = []
        for w, loss, layer in zip(self.weights, losses, self.layers(), strict=True):
            (part,) = torch.autograd.grad(w * loss, layer, create_graph=True)
            norms.append(part.norm())
        G = torch.stack(norms)
        start = self.balance.start_losses
        rates = inverse_training_rates(losses.detach(), start) ** self.balance.alpha
        L_TDB = (self.balance.ratios * (G - G.mean().detach() * rates).abs()).sum()
        (gradient,) = torch.autograd.grad(L_TDB, self.weights, retain_graph=True)
        return gradient


def measure(effort: Effort) -> list[Line]:
    """Time steps of equal networks on equal batches."""
    size = effort.size
    trainers = {
        "DMTL": Trainer("dmtl", size),
        "LSEW": Trainer("lsew", size),
        "GradNorm, last shared layer": GradNormTrainer(size),
        "GradNorm, own last layers": GradNormTrainer(size, layer="own"),
    }
    times = interleaved({name: trainer.step for name, trainer in trainers.items()}, effort.repeats)
    ours, lines = times.pop("DMTL"), []
    for (name, other), limit in zip(times.items(), (1.10, 0.9, None), strict=True):
        detail = f"{1e3 * ours.median:.2f} ms against {1e3 * other.median:.2f} ms"
        ratio = times_as_fast(other, ours)
        lines.append(
            Line(f"a DMTL step against {name}", ratio, limit, at_least=False, detail=detail)
        )
    return lines
