"""What every multi-task method shares: its interface, and its state over batches and epochs."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from pipeline.mtl.labelled import LabelledTasks, labelled_tasks, mean_losses
from pipeline.mtl.task import Task, check_tasks


@dataclass(frozen=True)
class Predictions:
    """One batch's forward pass, still attached to its graph; B rows.

    logits: task -> (B, C_f), with C_f = `Task.outputs`.
    hidden: task -> (B, h), the input of that task's last Linear ("last task-specific network
        layer" of eq. 11).
    shared: (B, d), the representation from which every head starts.
    auxiliary: deep-supervision logits, one such dictionary per level; empty for plain heads.
    """

    logits: dict[str, Tensor]
    hidden: dict[str, Tensor]
    shared: Tensor
    auxiliary: list[dict[str, Tensor]] = field(default_factory=list)


@dataclass(frozen=True)
class Objective:
    """What a method computes from a batch.

    loss: scalar to call backward on; exactly 0 with zero gradients where no task has a label.
    task_losses: task -> unweighted mean loss over its labelled rows, detached; only the tasks
        that have a labelled row in this batch.
    """

    loss: Tensor
    task_losses: dict[str, Tensor]


class Share(float):
    """A number from 0 to below 1."""


# Of each option of a method: its allowed words, float for a number above 0, or Share.
Options = Mapping[str, tuple[str, ...] | type[float]]


class MultiTaskMethod(nn.Module, ABC):
    """How a batch's task losses become one objective.

    A step is `objective`, backward, the optimiser's step on the network, `on_step`; an epoch ends
    with `on_epoch_end`, and a run that early stopping ends with `on_run_end`. All state is in
    buffers, none in parameters: `state_dict`, taken after `on_step`, resumes bit for bit, and no
    optimiser of the network can change it. What is random comes from torch's generator, whose
    state is to be saved beside it.

    Every task loss is a mean over that task's labelled rows. A task without one in a batch gives
    exactly no loss and no gradient, and its state stays as it was.

    A subclass declares which of alpha, beta, positives and labelled it takes (`takes`), and its
    further keywords (`options`). If it brings its own heads (`heads`), the options are theirs. With
    `network_per_task` no two tasks share a parameter.
    """

    takes: ClassVar[tuple[str, ...]] = ()
    options: ClassVar[Options] = {}
    heads: ClassVar[type[nn.Module] | None] = None
    network_per_task: ClassVar[bool] = False

    task_weights: Tensor  # (F,) w_f
    loss_sums: Tensor  # (F,) over the labelled rows of the current cycle
    loss_counts: Tensor  # (F,)
    start_losses: Tensor  # (F,) L_f(0), where start_known
    start_known: Tensor  # (F,)

    def __init__(self, tasks: Sequence[Task], *, beta: float = 0.0, cycle: str = "epoch") -> None:
        super().__init__()
        self.tasks = tuple(tasks)
        check_tasks(self.tasks)
        self.beta = beta
        self.cycle = cycle
        n = len(self.tasks)
        self.register_buffer("task_weights", torch.ones(n))
        self.register_buffer("loss_sums", torch.zeros(n))
        self.register_buffer("loss_counts", torch.zeros(n, dtype=torch.int64))
        self.register_buffer("start_losses", torch.ones(n))
        self.register_buffer("start_known", torch.zeros(n, dtype=torch.bool))
        self._last_batch: tuple[LabelledTasks, Tensor] | None = None

    def objective(self, predictions: Predictions, targets: dict[str, Tensor]) -> Objective:
        """Return the scalar to minimise, and each labelled task's own loss.

        `targets`: task -> (B,) int64, -1 where unknown. Raises ValueError naming the task whose
        labels or logits do not fit.
        """
        batch = labelled_tasks(self.tasks, targets)
        losses = mean_losses(batch, predictions.logits, self.beta)
        self._last_batch = batch, losses.detach()
        if not batch.tasks:
            return Objective(_attached_zero(predictions), {})
        loss = self._combine(predictions, batch, losses)
        names = [task.name for task in batch.tasks]
        return Objective(loss, dict(zip(names, losses.detach().unbind(), strict=True)))

    @abstractmethod
    def _combine(self, predictions: Predictions, batch: LabelledTasks, losses: Tensor) -> Tensor:
        """Make one scalar of the k labelled tasks' losses (k,); k >= 1."""

    def on_step(self, repeat: Callable[[], Predictions] | None = None) -> None:
        """Record the batch last given to `objective`; call it after the network's step.

        `repeat` runs that batch through the network again; only a method that looks at the losses
        after the step (famo) calls it, and raises ValueError where it is missing.
        """
        if self._last_batch is None:
            raise RuntimeError("on_step() was called without objective() before it")
        (batch, losses), self._last_batch = self._last_batch, None
        if batch.tasks:
            self._record(batch, losses.to(self.task_weights))

    def _record(self, batch: LabelledTasks, losses: Tensor) -> None:
        self.loss_sums.index_add_(0, batch.index, losses * batch.counts)
        self.loss_counts.index_add_(0, batch.index, batch.counts)

    def on_epoch_end(self) -> None:
        """End an epoch, which is a training cycle unless a cycle is a whole run."""
        means, labelled = self._cycle_means()
        # A task first labelled in a later epoch starts there.
        self.start_losses = torch.where(labelled & ~self.start_known, means, self.start_losses)
        self.start_known = self.start_known | labelled
        if self.cycle == "epoch":
            self._next_cycle()

    def on_run_end(self) -> bool:
        """End a run; returns whether another one follows, from the best network so far."""
        if self.cycle == "run":
            self._next_cycle()
        return self.cycle == "run"

    def _cycle_means(self) -> tuple[Tensor, Tensor]:
        """Mean losses (F,) over the current cycle, and which tasks had labels in it (F,)."""
        return self.loss_sums / self.loss_counts.clamp(min=1), self.loss_counts > 0

    def _next_cycle(self) -> None:
        self._end_cycle(*self._cycle_means())
        self.loss_sums.zero_()
        self.loss_counts.zero_()

    def _end_cycle(self, means: Tensor, labelled: Tensor) -> None:
        """React to a cycle's mean losses (F,) of the tasks labelled in it (F,); nothing here."""

    @torch.no_grad()
    def evaluation_losses(
        self, predictions: Predictions, targets: dict[str, Tensor]
    ) -> dict[str, tuple[Tensor, int]]:
        """Return the unweighted mean loss and the labelled rows of each task that has any.

        The loss is the one this method trains (focal for dmtl, plain cross entropy otherwise).
        No state changes.
        """
        batch = labelled_tasks(self.tasks, targets)
        losses = mean_losses(batch, predictions.logits, self.beta)
        rows = zip(batch.tasks, losses.unbind(), batch.counts.tolist(), strict=True)
        return {task.name: (loss, count) for task, loss, count in rows}

    @property
    def weights(self) -> dict[str, float]:
        """Each task's current weight w_f."""
        names = (task.name for task in self.tasks)
        return dict(zip(names, self.task_weights.tolist(), strict=True))

    @property
    def initial_losses(self) -> dict[str, float]:
        """L_f(0) of each task for which it is known."""
        rows = zip(self.tasks, self.start_losses.tolist(), self.start_known.tolist(), strict=True)
        return {task.name: loss for task, loss, known in rows if known}

    @classmethod
    def check_options(cls, values: Mapping[str, Any]) -> None:
        """Raise a ValueError that names the first option whose value is not allowed."""
        for option, value in values.items():
            if option not in cls.options:
                raise ValueError(f"{option} is not an option of {cls.__name__}")
            allowed = cls.options[option]
            if isinstance(allowed, tuple):
                valid, expected = value in allowed, ", ".join(allowed)
            else:
                number = type(value) in (int, float)
                valid = number and (0 <= value < 1 if allowed is Share else value > 0)
                expected = "0 to below 1" if allowed is Share else "a number above 0"
            if not valid:
                raise ValueError(f"{option} is {value!r}; allowed: {expected}")


def _attached_zero(predictions: Predictions) -> Tensor:
    # Sums of no rows: always 0 with zero gradients, so that backward() works.
    return sum((logits[:0].sum() for logits in predictions.logits.values()), torch.zeros(()))
