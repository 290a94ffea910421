"""DMTL: dynamic multi-task learning on the sample level and on the task level (eqs 8-11)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor

from pipeline.mtl.balancing import (
    balancing_gradient,
    inverse_distribution_ratios,
    inverse_training_rates,
    rebalanced,
    renormalised,
)
from pipeline.mtl.labelled import LabelledTasks, last_layer_gradients, shared_gradients
from pipeline.mtl.method import MultiTaskMethod, Options, Predictions, Share
from pipeline.mtl.task import Task


class DMTL(MultiTaskMethod):
    """L = sum_f w_f L_f with focal L_f; w moves by eq. 11 each step and is reset each cycle.

    After the network's step with the weights w, w takes a gradient step on L_TDB, is clamped from
    below and scaled to sum to F again. The gradient norms come in closed form from the forward
    pass, so that nothing of L_TDB can reach the network. At the end of a cycle the weights are
    reset in proportion to 1 / (mean loss of the cycle). Tasks without labels keep their weights,
    and the others share the rest of the sum.

    alpha, beta: the exponents of eq. 11 and eq. 10, at least 0.
    positives, labelled: n_f and N of eq. 11, see `inverse_distribution_ratios`.

    Options (first: the default), where the paper leaves a choice:
    balance: "gradients", eq. 11; "none", w changes at the ends of cycles alone. Without `rebalance`
        too, w stays 1 and the method is `focal`.
    W: "own", each task's last Linear, as printed; "shared", the shared representation.
    norm: "l2"; "rms", divided by the square root of the gradient's size.
    imbalance: "tdb", N/n_f in eq. 11, as printed, where it changes how fast w moves and not where
        it settles; "loss", N/n_f times L_f in the objective and not in what is balanced.
    rate: "relative", r_f divided by its mean over the tasks; "raw".
    initial: the source of L_f(0): "first_epoch", its mean, with w frozen at 1 until then;
        "first_batch"; "theory", the loss of a uniform guess.
    weight_learning_rate: 0.025, of the gradient descent on w.
    smoothing: 0, eq. 11 reads L_f and g_f of one batch, as in the paper; above 0 and below 1, their
        exponential means over the batches with labels of f, each of which counts that much less
        than the next.
    rebalance: "reset", a cycle's end forgets w, as in the paper; "multiply", it multiplies w;
        "none", eq. 11 alone.
    cycle: "epoch"; "run", training to early stopping, after which the next cycle goes on from the
        best network with the re-balanced weights, for which `rebalance` must not be "none".
    """

    takes: ClassVar[tuple[str, ...]] = ("alpha", "beta", "positives", "labelled")
    options: ClassVar[Options] = {
        "balance": ("gradients", "none"),
        "W": ("own", "shared"),
        "norm": ("l2", "rms"),
        "imbalance": ("tdb", "loss"),
        "rate": ("relative", "raw"),
        "initial": ("first_epoch", "first_batch", "theory"),
        "weight_learning_rate": float,
        "smoothing": Share,
        "rebalance": ("reset", "multiply", "none"),
        "cycle": ("epoch", "run"),
    }

    ratios: Tensor  # (F,) N/n_f
    smooth_sums: Tensor  # (3, F) exponential sums of L_f, g_f and 1 over the batches

    def __init__(
        self,
        tasks: Sequence[Task],
        *,
        alpha: float = 1.0,
        beta: float = 2.0,
        positives: Mapping[str, int] | None = None,
        labelled: Mapping[str, int] | None = None,
        balance: str = "gradients",
        W: str = "own",
        norm: str = "l2",
        imbalance: str = "tdb",
        rate: str = "relative",
        initial: str = "first_epoch",
        weight_learning_rate: float = 0.025,
        smoothing: float = 0.0,
        rebalance: str = "reset",
        cycle: str = "epoch",
    ) -> None:
        DMTL.check_options(
            {"balance": balance, "W": W, "norm": norm, "imbalance": imbalance, "rate": rate}
            | {"initial": initial, "weight_learning_rate": weight_learning_rate}
            | {"smoothing": smoothing, "rebalance": rebalance, "cycle": cycle}
        )
        super().__init__(tasks, beta=beta, cycle=cycle)
        self.alpha, self.weight_learning_rate = alpha, weight_learning_rate
        self.balance, self.W, self.norm, self.imbalance = balance, W, norm, imbalance
        self.rate, self.initial, self.rebalance = rate, initial, rebalance
        self.smoothing = smoothing
        self.register_buffer("smooth_sums", torch.zeros(3, len(self.tasks)))
        # Not state: the ratios belong to the training set, which a resumed run counts again.
        ratios = inverse_distribution_ratios(self.tasks, positives, labelled)
        self.register_buffer("ratios", ratios, persistent=False)
        if initial == "theory":
            self.start_losses = torch.tensor([_uniform_guess_loss(t, beta) for t in self.tasks])
            self.start_known.fill_(True)
        self._norms = torch.zeros(0)  # g_f of the last batch

    @classmethod
    def check_options(cls, values: Mapping[str, Any]) -> None:
        """Raise a ValueError as the base class does, and for a cycle that nothing would end."""
        super().check_options(values)
        if (values.get("cycle"), values.get("rebalance")) == ("run", "none"):
            raise ValueError("cycle is 'run', but rebalance 'none' ends no cycle; drop one of them")

    def _combine(self, predictions: Predictions, batch: LabelledTasks, losses: Tensor) -> Tensor:
        if self.balance == "gradients":
            self._norms = self._gradient_norms(predictions, batch)
        weights = self.task_weights[batch.index]
        if self.imbalance == "loss":
            weights = weights * self.ratios[batch.index]
        return (weights * losses).sum()

    def _gradient_norms(self, predictions: Predictions, batch: LabelledTasks) -> Tensor:
        """g_f = ||dL_f / dW|| of the labelled tasks (k,); a layer's bias is left out."""
        logits = predictions.logits
        if self.W == "own":
            gradients = last_layer_gradients(batch, logits, predictions.hidden, self.beta)
        else:
            # GradNorm's last shared layer, as far as a network with any trunk allows.
            gradients = shared_gradients(batch, logits, predictions.shared, self.beta)
        sizes = [g.numel() ** 0.5 if self.norm == "rms" else 1.0 for g in gradients]
        norms = [torch.linalg.vector_norm(g) / n for g, n in zip(gradients, sizes, strict=True)]
        return torch.stack(norms)

    def _record(self, batch: LabelledTasks, losses: Tensor) -> None:
        super()._record(batch, losses)
        if self.initial == "first_batch":
            known = self.start_known[batch.index]
            start = torch.where(known, self.start_losses[batch.index], losses)
            self.start_losses = self.start_losses.index_copy(0, batch.index, start)
            self.start_known = self.start_known.index_fill(0, batch.index, True)
        if self.balance == "gradients":
            self._balance(batch.index, *self._smoothed(batch.index, losses, self._norms.to(losses)))

    def _smoothed(self, index: Tensor, losses: Tensor, norms: Tensor) -> Tensor:
        """Exponential means (2, k) of L_f and g_f over the batches that have labels of f."""
        values = torch.stack((losses, norms, torch.ones_like(losses)))
        sums = self.smoothing * self.smooth_sums[:, index] + values
        self.smooth_sums = self.smooth_sums.index_copy(1, index, sums)
        return sums[:2] / sums[2]

    def _balance(self, index: Tensor, losses: Tensor, norms: Tensor) -> None:
        """Descend eq. 11 once, over the tasks of this batch (k,) whose L_f(0) is known."""
        active = self.start_known[index]
        index, losses, norms = index[active], losses[active], norms[active]
        if len(index) < 2:  # a single weight cannot move: the sum is fixed
            return
        weights = self.task_weights[index]
        rates = inverse_training_rates(losses, self.start_losses[index], self.rate == "relative")
        ratios = self.ratios[index] if self.imbalance == "tdb" else torch.ones_like(weights)
        gradient = balancing_gradient(weights, norms, rates, ratios, self.alpha)
        moved = renormalised(weights - self.weight_learning_rate * gradient, weights.sum())
        self.task_weights = self.task_weights.index_copy(0, index, moved)

    def _end_cycle(self, means: Tensor, labelled: Tensor) -> None:
        changed = labelled & (means > 0)
        if self.rebalance == "none" or not changed.any():
            return
        total = len(self.tasks) - self.task_weights[~changed].sum()
        old = self.task_weights[changed]
        start = old if self.rebalance == "multiply" else torch.ones_like(old)
        weights = rebalanced(start, means[changed], total)
        self.task_weights = self.task_weights.masked_scatter(changed, weights)


def _uniform_guess_loss(task: Task, beta: float) -> float:
    """Return the focal loss at p = 1/C: (1 - 1/C)^beta log C."""
    c = len(task.classes)
    return float((1 - 1 / c) ** beta * math.log(c))
