from __future__ import annotations

import torch
from torch import nn

from pipeline.models.fusion.present_norm import PresentBatchNorm


def test_all_rows_present_is_batch_norm_with_the_same_running_statistics() -> None:
    ours, torchs = PresentBatchNorm(3), nn.BatchNorm1d(3)
    x = 2 + 3 * torch.randn(6, 3)
    everything = torch.ones(6, dtype=torch.bool)
    torch.testing.assert_close(ours(x, everything), torchs(x))
    torch.testing.assert_close(ours.state_dict(), torchs.state_dict())
    torch.testing.assert_close(ours.eval()(x, everything), torchs.eval()(x))


def test_absent_rows_are_zero_and_leave_the_others_as_without_them() -> None:
    rows = torch.tensor([True, False, True, True])
    x = torch.randn(4, 3)
    ours, torchs = PresentBatchNorm(3), nn.BatchNorm1d(3)
    with torch.no_grad():
        ours.bias.fill_(0.5)
        torchs.bias.fill_(0.5)
    out = ours(x, rows)
    torch.testing.assert_close(out[rows], torchs(x[rows]))
    assert (out[1] == 0).all()
    torch.testing.assert_close(ours.state_dict(), torchs.state_dict())


def test_one_row_in_training_takes_the_running_statistics_and_leaves_them() -> None:
    norm = PresentBatchNorm(3)
    for _ in range(50):
        norm(5 + 2 * torch.randn(32, 3), torch.ones(32, dtype=torch.bool))
    before = {key: value.clone() for key, value in norm.state_dict().items()}
    x = torch.randn(1, 3)
    present = torch.tensor([True])
    torch.testing.assert_close(norm(x, present), norm.eval()(x, present))
    torch.testing.assert_close(dict(norm.state_dict()), before)


def test_no_row_present_is_all_zeros() -> None:
    x = torch.randn(2, 3, requires_grad=True)
    out = PresentBatchNorm(3)(x, torch.tensor([False, False]))
    out.sum().backward()
    assert (out == 0).all()
    assert x.grad is not None
    assert (x.grad == 0).all()
