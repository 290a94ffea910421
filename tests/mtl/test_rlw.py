from __future__ import annotations

import torch
from torchjd.scalarization import Random

from pipeline.mtl import build_mtl


def test_weights_are_torchjds_random_ones_and_new_in_each_batch(tasks, batch, step):
    method = build_mtl("rlw", tasks).double()
    torch.manual_seed(7)
    outs = [step(method, *batch) for _ in range(2)]
    torch.manual_seed(7)
    for out in outs:
        expected = Random()(torch.stack(list(out.task_losses.values())))
        torch.testing.assert_close(out.loss.detach(), expected)
    assert outs[0].loss != outs[1].loss
