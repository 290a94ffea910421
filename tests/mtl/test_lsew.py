from __future__ import annotations

import torch
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy

from pipeline.mtl import build_mtl


def test_objective_is_the_sum_of_torchs_cross_entropies(tasks, batch):
    predictions, targets = batch
    total = torch.zeros((), dtype=torch.float64)
    for task in tasks:
        logits, y = predictions.logits[task.name], targets[task.name]
        if task.head == "sigmoid":
            total += binary_cross_entropy_with_logits(logits[y >= 0, 0], y[y >= 0].double())
        else:
            total += cross_entropy(logits, y, ignore_index=-1)
    torch.testing.assert_close(build_mtl("lsew", tasks).objective(*batch).loss, total)
