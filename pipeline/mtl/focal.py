"""Focal: equally weighted focal losses, the sample level of DMTL alone (eqs 8-10)."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.mtl.lsew import LSEW
from pipeline.mtl.task import Task


class Focal(LSEW):
    """L = sum_f L_f with focal L_f: what DMTL is without eq. 11 and without the reset.

    beta: the exponent of eq. 10, at least 0.
    """

    takes = ("beta",)

    def __init__(self, tasks: Sequence[Task], *, beta: float = 2.0) -> None:
        super().__init__(tasks, beta=beta)
