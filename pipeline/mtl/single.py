"""Single: a network a task, the control of all methods that share one."""

from __future__ import annotations

from pipeline.mtl.lsew import LSEW


class Single(LSEW):
    """L = sum_f L_f with plain cross entropy, over parameters that no two tasks share.

    The network has encoders, a fusion, a trunk and a head for each task. Under Adam the sum trains
    each as if alone; only the best epoch is chosen for all together, as with the other methods.
    """

    network_per_task = True
