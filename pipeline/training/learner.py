"""One epoch after another of a network, its method and its optimiser, and their state."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.func import functional_call

from pipeline.models.network import NetworkOutput
from pipeline.mtl import Task
from pipeline.mtl.method import MultiTaskMethod, Predictions
from pipeline.params import TrainParams
from pipeline.training.examples import Batch, Examples
from pipeline.training.model import Network
from pipeline.training.predict import predict

# Validation rows' probabilities by task -> scores by name.
Score = Callable[[dict[str, np.ndarray]], dict[str, float]]


class DivergenceError(ValueError):
    """The validation loss of a training is no longer finite."""


class Learner:
    """A network, its method and its optimiser, with the examples they learn from.

    `order` shuffles the training rows of each epoch.
    """

    def __init__(
        self,
        network: Network,
        method: MultiTaskMethod,
        tasks: Sequence[Task],
        examples: Examples,
        params: TrainParams,
        order: np.random.Generator,
    ) -> None:
        self.network, self.method, self.tasks = network, method, tasks
        self.examples, self.params, self.order = examples, params, order
        self.device = next(network.parameters()).device
        self.optimizer = self._new_optimizer()

    def _new_optimizer(self) -> torch.optim.Optimizer:
        rate, decay = self.params.learning_rate, self.params.weight_decay
        # Fused: a quarter of the time on a CPU for networks with many parameters, as MTI-Net's.
        return torch.optim.AdamW(self.network.parameters(), rate, weight_decay=decay, fused=True)

    def start_run(self, network: dict[str, Tensor]) -> None:
        """Start from these parameters again; Adam's averages belong to others."""
        self.network.load_state_dict(network)
        self.optimizer = self._new_optimizer()

    def state(self) -> dict[str, Any]:
        """Return all that the coming epochs depend on, random states included."""
        return {
            "network": self.network.state_dict(),
            "method": self.method.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "order": self.order.bit_generator.state,
            **self._random_state(),
        }

    def load_state(self, state: dict[str, Any]) -> None:
        """Continue from what `state` returned."""
        self.network.load_state_dict(state["network"])
        self.method.load_state_dict(state["method"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.order.bit_generator.state = state["order"]
        self._set_random_state(state)

    def _random_state(self) -> dict[str, Any]:
        cuda = self.device.type == "cuda"
        return {
            "torch": torch.get_rng_state(),
            "cuda": torch.cuda.get_rng_state() if cuda else None,
        }

    def _set_random_state(self, state: dict[str, Any]) -> None:
        torch.set_rng_state(state["torch"])
        if state["cuda"] is not None:
            torch.cuda.set_rng_state(state["cuda"])

    def epoch(self, score: Score | None) -> dict[str, float]:
        """Train and validate once; returns the values to log."""
        trained, validated = self.train_epoch(), self.validation_losses()
        relative = relative_loss(validated, self.method.initial_losses)
        scores = score(self.validation_probabilities()) if score else {}
        return {
            **{f"loss/train/{task}": loss for task, loss in trained.items()},
            **{f"loss/validation/{task}": loss for task, loss in validated.items()},
            "loss/validation_relative": relative,
            **{f"weight/{task}": weight for task, weight in self.method.weights.items()},
            # Checkpoints hold only Python's own floats.
            **{f"validation/{name}": float(value) for name, value in scores.items()},
        }

    def train_epoch(self) -> dict[str, float]:
        """Run one epoch; returns each task's mean loss over its labelled rows."""
        self.network.train()
        losses = _MeanLosses()
        rows = self.examples.rows("train")
        for batch in self.examples.batches(rows, self.params.batch_size, self.order):
            batch = batch.to(self.device)
            before = self._random_state()
            objective = self.method.objective(self._predictions(batch), batch.targets)
            if objective.task_losses:  # momentum and decay would move a network without labels
                self.optimizer.zero_grad()
                objective.loss.backward()
                self.optimizer.step()
            self.method.on_step(partial(self._repeat, batch, before))
            for task, loss in objective.task_losses.items():
                losses.add(task, loss, int((batch.targets[task] >= 0).sum()))
        self.method.on_epoch_end()
        return losses.means()

    @torch.no_grad()
    def validation_losses(self) -> dict[str, float]:
        """Return each task's unweighted mean loss over the labelled validation rows."""
        self.network.eval()
        losses = _MeanLosses()
        for batch in self.examples.batches(self.examples.rows("val"), self.params.batch_size):
            batch = batch.to(self.device)
            batch_losses = self.method.evaluation_losses(self._predictions(batch), batch.targets)
            for task, (loss, count) in batch_losses.items():
                losses.add(task, loss, count)
        return losses.means()

    def validation_probabilities(self) -> dict[str, np.ndarray]:
        """Return each task's probabilities of the validation rows."""
        return predict([self.network], self.examples, self.tasks, self.examples.rows("val"))

    def _repeat(self, batch: Batch, random_state: dict[str, Any]) -> Predictions:
        """Run a batch again with the same dropout: what has changed is due to the step alone.

        It works on copies of the buffers, so that running means count each batch once.
        """
        current = self._random_state()
        self._set_random_state(random_state)
        buffers = {name: buffer.clone() for name, buffer in self.network.named_buffers()}
        output = functional_call(self.network, buffers, (batch.sequences, batch.lengths))
        self._set_random_state(current)
        return _predictions_of(output)

    def _predictions(self, batch: Batch) -> Predictions:
        return _predictions_of(self.network(batch.sequences, batch.lengths))


def _predictions_of(output: NetworkOutput) -> Predictions:
    return Predictions(output.logits, output.hidden, output.shared, output.auxiliary)


def relative_loss(losses: Mapping[str, float], initial: Mapping[str, float]) -> float:
    """Average the unweighted task losses, each divided by its own initial loss L_f(0).

    The weighted sum would jump at every re-balancing and cannot be compared between epochs. Tasks
    without a validation label, or whose initial loss is 0, are left out. Raises ValueError if no
    task is left, and DivergenceError if the result is not finite.
    """
    ratios = [
        losses[task] / initial[task] for task in losses if task in initial and initial[task] != 0
    ]
    if not ratios:
        raise ValueError(
            "no validation row has a label of any trained task; early stopping needs one"
        )
    mean = sum(ratios) / len(ratios)
    if not math.isfinite(mean):
        raise DivergenceError(
            f"the validation loss is {mean}: training diverged; lower train.learning_rate"
        )
    return mean


class _MeanLosses:
    """Means over labelled rows: a small last batch weighs less."""

    def __init__(self) -> None:
        self.sums: dict[str, float] = {}
        self.counts: dict[str, int] = {}

    def add(self, task: str, loss: Tensor, count: int) -> None:
        self.sums[task] = self.sums.get(task, 0.0) + float(loss) * count
        self.counts[task] = self.counts.get(task, 0) + count

    def means(self) -> dict[str, float]:
        return {task: total / self.counts[task] for task, total in self.sums.items()}
