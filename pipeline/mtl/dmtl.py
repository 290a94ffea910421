"""DMTL: dynamic multi-task learning on the sample level and on the task level (eqs 8-11)."""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from pipeline.mtl.balancing import (
    balancing_gradient,
    inverse_training_rates,
    rebalanced,
    renormalised,
)
from pipeline.mtl.imbalance import inverse_distribution_ratios
from pipeline.mtl.labelled import LabelledTasks
from pipeline.mtl.method import MultiTaskMethod
from pipeline.mtl.predictions import Predictions
from pipeline.mtl.task import Task
from pipeline.mtl.task_gradients import last_layer_norms, shared_layer_norms
from pipeline.mtl.weight_optimizers import WeightAdam, WeightSGD

# The first of each is the default.
_CHOICES = {
    "W": ("own", "shared"),
    "norm": ("l2", "rms"),
    "imbalance": ("tdb", "loss"),
    "rate": ("relative", "raw"),
    "initial": ("first_epoch", "first_batch", "theory"),
    "weight_optimizer": ("sgd", "adam"),
}
_SMALLEST, _LARGEST = sys.float_info.min, sys.float_info.max


class DMTL(MultiTaskMethod):
    """L = sum_f w_f L_f with focal L_f, and w moved by eq. 11 each step and reset each cycle.

    After the network's step t has used w(t), w descends L_TDB; then it is clamped at
    `minimum_weight` and scaled to sum to F again. The gradient norms come in closed form from the
    forward pass, so that nothing of L_TDB can reach the network. At the end of a cycle the weights
    are reset in proportion to 1 / (mean loss of the cycle). Where tasks lack labels, those present
    share what they had together, and the others keep theirs.

    Options (first: the default), where the paper leaves a choice:
    alpha, beta: the exponents of eq. 11 and eq. 10, at least 0.
    positives, labelled: n_f and N of eq. 11, see `inverse_distribution_ratios`.
    W: "own", each task's last Linear, as printed; "shared", the joint representation.
    norm: "l2"; "rms", divided by the square root of the gradient's size.
    imbalance: "tdb", N/n_f in eq. 11, as printed, where it changes the speed of w under SGD, and
        nothing under Adam; "loss", N/n_f times L_f in the objective and not in what is balanced.
    rate: "relative", r_f divided by its mean over the tasks; "raw".
    initial: where L_f(0) comes from: "first_epoch", its mean, with w frozen at 1 until then;
        "first_batch"; "theory", the loss of a uniform guess.
    weight_optimizer: "sgd"; "adam", which makes N/n_f inert. weight_learning_rate: its rate.
    cycle_epochs: epochs in a training cycle.
    """

    ratios: Tensor  # (F,) N/n_f

    def __init__(
        self,
        tasks: Sequence[Task],
        *,
        alpha: float = 1.0,
        beta: float = 2.0,
        positives: Mapping[str, int] | None = None,
        labelled: Mapping[str, int] | None = None,
        W: str = "own",
        norm: str = "l2",
        imbalance: str = "tdb",
        rate: str = "relative",
        initial: str = "first_epoch",
        weight_optimizer: str = "sgd",
        weight_learning_rate: float = 0.025,
        cycle_epochs: int = 1,
        minimum_weight: float = 1e-3,
    ) -> None:
        _check_choices(
            W=W,
            norm=norm,
            imbalance=imbalance,
            rate=rate,
            initial=initial,
            weight_optimizer=weight_optimizer,
        )
        _check_numbers(alpha, beta, weight_learning_rate, cycle_epochs, minimum_weight)
        super().__init__(tasks, beta=beta, cycle_epochs=cycle_epochs)
        self.alpha = alpha
        self.W, self.norm, self.imbalance = W, norm, imbalance
        self.rate, self.initial = rate, initial
        self.minimum_weight = minimum_weight
        n = len(self.tasks)
        descent = WeightAdam if weight_optimizer == "adam" else WeightSGD
        self.descent = descent(n, weight_learning_rate)
        # Not state: the ratios belong to the training set, which a resumed run counts again.
        ratios = inverse_distribution_ratios(self.tasks, positives, labelled)
        self.register_buffer("ratios", ratios, persistent=False)
        if initial == "theory":
            self.start_losses = torch.tensor([uniform_guess_loss(t, beta) for t in self.tasks])
            self.start_known = torch.ones(n, dtype=torch.bool)
        self._normed: tuple[Task, ...] = ()
        self._norms = torch.zeros(0)

    def _combine(self, predictions: Predictions, labelled: LabelledTasks, losses: Tensor) -> Tensor:
        rms = self.norm == "rms"
        if self.W == "own":
            self._norms = last_layer_norms(labelled, predictions, self.beta, rms)
        else:
            self._norms = shared_layer_norms(losses, predictions, rms)
        self._normed = labelled.tasks
        weights = self.task_weights[labelled.index]
        if self.imbalance == "loss":
            weights = weights * self.ratios[labelled.index]
        return (weights * losses).sum()

    @property
    def gradient_norms(self) -> dict[str, float]:
        """g_f of the tasks labelled in the last batch that had labels, for logs."""
        names = (task.name for task in self._normed)
        return dict(zip(names, self._norms.tolist(), strict=True))

    def _record(self, labelled: LabelledTasks, losses: Tensor) -> None:
        super()._record(labelled, losses)
        if self.initial == "first_batch":
            known = self.start_known[labelled.index]
            start = torch.where(known, self.start_losses[labelled.index], losses)
            self.start_losses = self.start_losses.index_copy(0, labelled.index, start)
            self.start_known = self.start_known.index_fill(0, labelled.index, True)
        self._balance(labelled.index, losses, self._norms.to(losses))

    def _balance(self, index: Tensor, losses: Tensor, norms: Tensor) -> None:
        """Descend eq. 11 once, over the tasks of this batch (k,) whose L_f(0) is known."""
        active = self.start_known[index]
        index, losses, norms = index[active], losses[active], norms[active]
        if len(index) < 2:  # one weight alone cannot move: its sum is fixed
            return
        weights = self.task_weights[index]
        rates = inverse_training_rates(losses, self.start_losses[index], self.rate == "relative")
        ratios = self.ratios[index] if self.imbalance == "tdb" else torch.ones_like(weights)
        gradient = balancing_gradient(weights, norms, rates, ratios, self.alpha)
        moved = weights - self.descent.change(index, gradient)
        moved = renormalised(moved, weights.sum(), self.minimum_weight)
        self.task_weights = self.task_weights.index_copy(0, index, moved)

    def _end_cycle(self, means: Tensor, seen: Tensor) -> None:
        reset = seen & (means > 0)
        if reset.any():
            total = len(self.tasks) - self.task_weights[~reset].sum()
            weights = rebalanced(means[reset], total, self.minimum_weight)
            self.task_weights = self.task_weights.masked_scatter(reset, weights)


def uniform_guess_loss(task: Task, beta: float) -> float:
    """Return the focal loss at p = 1/C: (1 - 1/C)^beta log C."""
    c = len(task.classes)
    return float((1 - 1 / c) ** beta * math.log(c))


def _check_choices(**chosen: str) -> None:
    for option, value in chosen.items():
        if value not in _CHOICES[option]:
            allowed = ", ".join(_CHOICES[option])
            raise ValueError(f"mtl option {option} is {value!r}; allowed: {allowed}")


def _check_numbers(
    alpha: float, beta: float, learning_rate: float, cycle_epochs: int, minimum_weight: float
) -> None:
    for option, value, low, high, allowed in (
        ("alpha", alpha, 0.0, _LARGEST, "a number of at least 0"),
        ("beta", beta, 0.0, _LARGEST, "a number of at least 0"),
        ("weight_learning_rate", learning_rate, _SMALLEST, _LARGEST, "a number above 0"),
        ("minimum_weight", minimum_weight, _SMALLEST, 1.0, "a number above 0, at most 1"),
        ("cycle_epochs", cycle_epochs, 1, _LARGEST, "a whole number of at least 1"),
    ):
        whole = option != "cycle_epochs" or isinstance(value, int)
        # Written so that not-a-number fails too.
        if not (isinstance(value, int | float) and whole and low <= value <= high):
            raise ValueError(f"mtl option {option} is {value!r}; allowed: {allowed}")
