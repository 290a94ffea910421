"""Training: one network, one multi-task method, early stopping on the validation rows."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from pipeline.ground.processes import THREADS
from pipeline.models.standardise import Standardise
from pipeline.mtl import Task, build_mtl
from pipeline.mtl.method import MultiTaskMethod, Predictions
from pipeline.params import TrainParams
from pipeline.training.checkpoint import Checkpoint
from pipeline.training.examples import Batch, Examples, label_counts
from pipeline.training.model import ModelSpec, Network
from pipeline.training.predict import predict

Log = Callable[[int, dict[str, float]], None]
Score = Callable[[dict[str, np.ndarray]], dict[str, float]]


class DivergenceError(ValueError):
    """The validation loss of a training is no longer finite."""


@dataclass(frozen=True)
class Fitted:
    """How many epochs were run, and the best of them (from 0), whose parameters were restored."""

    epochs: int
    best_epoch: int


def make_repeatable() -> None:
    """Make torch give the same bits each time in this process; call it before training.

    Deterministic mode also fills fresh memory with NaN to expose reads before writes. That changes
    no result and costs a fifth of a training, so it is switched off.
    """
    torch.set_num_threads(THREADS)
    torch.use_deterministic_algorithms(True)
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]


def train(
    spec: ModelSpec,
    examples: Examples,
    params: TrainParams,
    *,
    seed: int,
    score: Score | None = None,
    log: Log | None = None,
    device: str = "cpu",
    checkpoint: Checkpoint | None = None,
) -> tuple[Network, Fitted]:
    """Build a network and train it; the same seed, data and kind of processor give the same bits.

    After each epoch `log` gets its number and its values by name: losses, task weights, and the
    scores that `score` computes from the validation rows' probabilities. Only a training that
    monitors the loss can do without `score`, and saves that pass over the validation rows.
    `checkpoint` is of these very arguments; where it holds a state, `log` first gets the epochs
    before it again. At the end it holds all of the training. The caller removes it once the result
    is stored.

    Raises:
        ValueError: if no validation row has a label, a task has no positive training row, or
            torch finds no GPU for "cuda".
        DivergenceError: where the validation loss is not finite.
    """
    if device == "cuda" and not torch.cuda.is_available():
        raise ValueError("HGFN_DEVICE is 'cuda', but torch finds no GPU here; unset it")
    torch.manual_seed(seed)
    rows = examples.rows("train")
    scales = {
        name: Standardise.fit(dim, (examples.sequences[name][row] for row in rows))
        for name, dim in spec.modalities.items()
    }
    network = spec.build_network(scales).to(device)
    labelled, positives = label_counts(examples, spec.tasks)
    method = build_mtl(
        spec.mtl.name,
        spec.tasks,
        alpha=spec.mtl.alpha,
        beta=spec.mtl.beta,
        positives=positives,
        labelled=labelled,
        **spec.mtl.options,
    ).to(device)
    learner = _Learner(network, method, spec.tasks, examples, params, np.random.default_rng(seed))
    return network, _fit(learner, score, log or (lambda epoch, values: None), checkpoint)


def _fit(learner: _Learner, score: Score | None, log: Log, checkpoint: Checkpoint | None) -> Fitted:
    """Run epochs until the best one lies `patience` epochs back, then restore that one.

    Each epoch is judged by one value, lower being better: see `train.monitor`. A method whose cycle
    is a run starts another one from there, until a run does not improve on the best value.
    """
    params = learner.params
    best, epochs, ended = _Best(), list[dict[str, float]](), False

    def state() -> dict[str, Any]:
        own = {"learner": learner.state(), "best": vars(best)}
        return {**own, "epochs": epochs, "ended": ended}

    if checkpoint and (stored := checkpoint.load()):
        learner.load_state(stored["learner"])
        best, epochs, ended = _Best(**stored["best"]), stored["epochs"], stored["ended"]
        checkpoint.notify(f"resumes at epoch {len(epochs)}")
    for epoch, values in enumerate(epochs):
        log(epoch, values)
    while not ended:
        epoch, values = len(epochs), learner.epoch(score)
        epochs.append(values)
        log(epoch, values)
        best.update(_monitored(values, params.monitor), epoch, learner.network)
        ended = epoch + 1 == params.max_epochs
        if not ended and epoch - max(best.epoch, best.run - 1) >= params.patience:
            ended = best.epoch < best.run or not learner.method.on_run_end()
            if not ended:
                learner.start_run(best.network)
                best.run = epoch + 1
        if checkpoint:
            checkpoint.save(state, at_once=ended)
    learner.network.load_state_dict(best.network)
    return Fitted(len(epochs), best.epoch)


def _monitored(values: Mapping[str, float], monitor: str) -> float:
    """Return the value to minimise, of an epoch's logged ones."""
    if monitor == "loss":
        return values["loss/validation_relative"]
    if f"validation/mean_{monitor}" not in values:
        raise ValueError(
            f"train.monitor is {monitor}, but no validation row is positive in any task; set it to "
            "loss"
        )
    return -values[f"validation/mean_{monitor}"]


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


class _Learner:
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
        """Run a batch again with the same dropout: what has changed is due to the step alone."""
        current = self._random_state()
        self._set_random_state(random_state)
        predictions = self._predictions(batch)
        self._set_random_state(current)
        return predictions

    def _predictions(self, batch: Batch) -> Predictions:
        output = self.network(batch.sequences, batch.lengths)
        return Predictions(output.logits, output.hidden, output.shared, output.auxiliary)


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


@dataclass
class _Best:
    """The best epoch so far: its monitored value, lower being better, and the network's state.

    run: the first epoch of the current run, see `_fit`.
    """

    value: float = math.inf
    epoch: int = -1
    run: int = 0
    network: dict[str, Tensor] = field(default_factory=dict)

    @torch.no_grad()
    def update(self, value: float, epoch: int, network: nn.Module) -> None:
        """Take an epoch that is better; one whose value is not a number never is."""
        if value < self.value:
            self.value, self.epoch = float(value), epoch
            for name, tensor in network.state_dict().items():
                # Into the same memory every time.
                self.network.setdefault(name, torch.empty_like(tensor)).copy_(tensor)
