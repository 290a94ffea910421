"""The training loop: one network, one multi-task method, early stopping on validation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from pipeline.mtl import MultiTaskMethod, Predictions, Task
from pipeline.training.early_stopping import (
    EarlyStopping,
    Monitor,
    monitored,
    relative_loss,
)
from pipeline.training.examples import Batch, Examples
from pipeline.training.predict import predict

Log = Callable[[int, dict[str, float]], None]
Score = Callable[[dict[str, np.ndarray]], dict[str, float]]


@dataclass(frozen=True)
class Settings:
    """How to optimise; see params.yaml's `train`."""

    learning_rate: float
    batch_size: int
    max_epochs: int
    patience: int
    weight_decay: float
    seed: int
    monitor: Monitor = "loss"


@dataclass(frozen=True)
class Fitted:
    """How training went: epochs run, and the best one (from 0), whose parameters are restored.

    `best` is what that epoch was judged by, lower being better; see `monitored`.
    """

    epochs: int
    best_epoch: int
    best: float


def fit(
    network: nn.Module,
    method: MultiTaskMethod,
    tasks: Sequence[Task],
    examples: Examples,
    settings: Settings,
    score: Score | None,
    log: Log,
    device: str = "cpu",
) -> Fitted:
    """Train `network` in place and leave it with the parameters of its best epoch.

    After each epoch `log` gets its number and values by name: losses, task weights, and what
    `score` makes of the validation rows' probabilities (nothing where it is None, which saves a
    pass over them). Raises ValueError where no validation row has a label.
    """
    if device == "cuda" and not torch.cuda.is_available():
        raise ValueError("HGFN_DEVICE is 'cuda', but torch finds no GPU here; unset it")
    fabric = Fabric(accelerator=device, devices=1)
    method.to(fabric.device)
    # Fused: a quarter of the time on a CPU, where MTI-Net's parameters cost more than its passes.
    optimizer = torch.optim.AdamW(
        network.parameters(),
        settings.learning_rate,
        weight_decay=settings.weight_decay,
        fused=True,
    )
    wrapped, optimizer = fabric.setup(network, optimizer)
    learner = _Learner(fabric, wrapped, optimizer, method, settings.batch_size)
    order = np.random.default_rng(settings.seed)
    stopping = EarlyStopping(settings.patience)
    best: dict[str, Tensor] = {}
    for epoch in range(settings.max_epochs):
        trained = learner.train(examples, order)
        validated = learner.validate(examples)
        loss = relative_loss(validated, method.initial_losses or {})
        scores = score(predict(wrapped, examples, tasks, examples.rows("val"))) if score else {}
        log(epoch, _record(trained, validated, loss, method.weights, scores))
        if stopping.improved(monitored(settings.monitor, loss, scores), epoch):
            _remember(network, best)
        if stopping.exhausted(epoch):
            break
    network.load_state_dict(best)
    return Fitted(epoch + 1, stopping.best_epoch, stopping.best)


@torch.no_grad()
def _remember(network: nn.Module, best: dict[str, Tensor]) -> None:
    """Copy the parameters into `best`, into the same memory every time."""
    for name, tensor in network.state_dict().items():
        best.setdefault(name, torch.empty_like(tensor)).copy_(tensor)


@dataclass
class _Learner:
    fabric: Fabric
    network: nn.Module
    optimizer: torch.optim.Optimizer
    method: MultiTaskMethod
    batch_size: int

    def train(self, examples: Examples, order: np.random.Generator) -> dict[str, float]:
        """Run one epoch; returns each task's mean loss over its labelled rows."""
        self.network.train()
        losses = _MeanLosses()
        for batch in examples.batches(examples.rows("train"), self.batch_size, order):
            batch = batch.to(self.fabric.device)
            objective = self.method.objective(self._predictions(batch), batch.targets)
            self.optimizer.zero_grad()
            self.fabric.backward(objective.loss)
            self.optimizer.step()
            self.method.on_step()
            for task, loss in objective.task_losses.items():
                losses.add(task, loss, int((batch.targets[task] >= 0).sum()))
        self.method.on_cycle_end()
        return losses.means()

    @torch.no_grad()
    def validate(self, examples: Examples) -> dict[str, float]:
        """Return each task's unweighted mean loss over the labelled validation rows."""
        self.network.eval()
        losses = _MeanLosses()
        for batch in examples.batches(examples.rows("val"), self.batch_size):
            batch = batch.to(self.fabric.device)
            predictions = self._predictions(batch)
            measured = self.method.evaluation_losses(predictions, batch.targets)
            for task, (loss, count) in measured.items():
                losses.add(task, loss, count)
        return losses.means()

    def _predictions(self, batch: Batch) -> Predictions:
        output = self.network(batch.sequences, batch.lengths)
        return Predictions(output.logits, output.hidden, output.joint, output.auxiliary)


class _MeanLosses:
    """Means weighted by labelled rows, so that a small last batch counts for what it is."""

    def __init__(self) -> None:
        self.sums: dict[str, float] = {}
        self.counts: dict[str, int] = {}

    def add(self, task: str, loss: Tensor, count: int) -> None:
        if count:
            self.sums[task] = self.sums.get(task, 0.0) + float(loss) * count
            self.counts[task] = self.counts.get(task, 0) + count

    def means(self) -> dict[str, float]:
        return {task: total / self.counts[task] for task, total in self.sums.items()}


def _record(
    trained: dict[str, float],
    validated: dict[str, float],
    relative: float,
    weights: dict[str, float],
    scores: dict[str, float],
) -> dict[str, float]:
    return {
        **{f"loss/train/{task}": loss for task, loss in trained.items()},
        **{f"loss/validation/{task}": loss for task, loss in validated.items()},
        "loss/validation_relative": relative,
        **{f"weight/{task}": weight for task, weight in weights.items()},
        **{f"validation/{name}": value for name, value in scores.items()},
    }
