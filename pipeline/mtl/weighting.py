"""Methods that are weights, of the tasks' losses or of their gradients."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from pipeline.mtl.labelled import LabelledTasks, shared_gradients
from pipeline.mtl.method import MultiTaskMethod, Predictions
from pipeline.mtl.task import Task


class WeightedTasks(MultiTaskMethod):
    """A method whose `task_weights` are those of the last batch with a label of the task."""

    def __init__(self, tasks: Sequence[Task]) -> None:
        super().__init__(tasks)
        self._used = torch.zeros(0)  # (k,) of the last batch

    def _record(self, batch: LabelledTasks, losses: Tensor) -> None:
        super()._record(batch, losses)
        self.task_weights = self.task_weights.index_copy(0, batch.index, self._used.to(losses))


class WeightedLosses(WeightedTasks):
    """L = sum_f w_f L_f, with weights that are constants to the network."""

    @abstractmethod
    def _weigh(self, predictions: Predictions, batch: LabelledTasks, losses: Tensor) -> Tensor:
        """Return the weights (k,) of the k labelled tasks' losses (k,)."""

    def _combine(self, predictions: Predictions, batch: LabelledTasks, losses: Tensor) -> Tensor:
        self._used = self._weigh(predictions, batch, losses).detach()
        return (self._used * losses).sum()


class WeightedGradients(WeightedTasks):
    """The trunk descends sum_f w_f G_f, with G_f = dL_f / dJ by the shared representation J (B, d).

    The originals combine gradients by the shared *parameters*; by J they cost one small backward
    pass a task through its head, and none through the trunk. Every head descends its own L_f, and
    the objective's value is sum_f L_f.
    """

    @abstractmethod
    def _weigh(self, gramian: Float[Tensor, "k k"]) -> Float[Tensor, " k"]:
        """Return the weights of the gradients, given their products <G_f, G_g> in float64."""

    def _combine(self, predictions: Predictions, batch: LabelledTasks, losses: Tensor) -> Tensor:
        shared = predictions.shared
        gradients = shared_gradients(batch, predictions.logits, shared, self.beta)
        self._used = self._weigh(gramian(gradients)).to(shared)
        # A term of value 0 that gives the trunk the weighted sum in place of the plain one.
        change = torch.tensordot(self._used - 1, torch.stack(gradients), dims=1)
        return losses.sum() + (change * (shared - shared.detach())).sum()


def gramian(gradients: Sequence[Tensor]) -> Float[Tensor, "k k"]:
    """Return the products <G_f, G_g> in float64, on the processor where the small solvers run."""
    rows = torch.stack([gradient.flatten() for gradient in gradients]).double()
    return (rows @ rows.T).cpu()
