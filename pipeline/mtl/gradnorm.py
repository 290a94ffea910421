"""GradNorm: weights that keep the tasks' gradient norms in proportion (Chen et al. 2018)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from pipeline.mtl.dmtl import DMTL
from pipeline.mtl.method import Options
from pipeline.mtl.task import Task


class GradNorm(DMTL):
    """L = sum_f w_f L_f; w descends sum_f |w_f g_f - mean(w g) r_f^alpha| each step.

    DMTL without what the paper added to it: no focal loss, no N/n_f, no reset at a cycle's end, and
    g_f = ||dL_f / dJ|| by the shared representation J, in place of the original's last shared
    *parameters*: one small backward pass a task through its head, and none through the trunk. The
    targets are constants and w sums to F, as in the original; L_f(0) is the first epoch's mean, as
    one batch may hold hardly a positive row of a rare label.

    alpha: how strongly a slow task's gradient is raised, at least 0.
    weight_learning_rate: 0.025, of the gradient descent on w.
    """

    takes = ("alpha",)
    options: ClassVar[Options] = {"weight_learning_rate": float}

    def __init__(
        self, tasks: Sequence[Task], *, alpha: float = 1.0, weight_learning_rate: float = 0.025
    ) -> None:
        self.check_options({"weight_learning_rate": weight_learning_rate})
        ones = {task.name: 1 for task in tasks}
        super().__init__(
            tasks,
            alpha=alpha,
            beta=0.0,
            positives=ones,
            labelled=ones,  # N/n_f = 1
            W="shared",
            rebalance="none",
            weight_learning_rate=weight_learning_rate,
        )
