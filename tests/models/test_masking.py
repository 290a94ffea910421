from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st

from pipeline.models.masking import masked_mean, masked_softmax, valid_steps


@given(st.lists(st.lists(st.booleans(), min_size=4, max_size=4), min_size=1, max_size=3))
def test_masked_softmax_is_the_softmax_of_what_is_kept(rows: list[list[bool]]) -> None:
    mask = torch.tensor(rows)
    scores = 10 * torch.randn(len(rows), 4, 2, dtype=torch.float64)
    result = masked_softmax(scores, mask)
    for row, present in enumerate(mask):
        expected = torch.zeros(4, 2, dtype=torch.float64)
        expected[present] = scores[row, present].softmax(dim=0)
        torch.testing.assert_close(result[row], expected)


def test_a_fully_masked_row_has_a_finite_gradient() -> None:
    scores = torch.randn(2, 3, 1, requires_grad=True)
    result = masked_softmax(scores, torch.tensor([[False] * 3, [True, False, True]]))
    result.square().sum().backward()
    assert scores.grad is not None
    assert (scores.grad[0] == 0).all()
    assert (scores.grad[1, [0, 2]] != 0).all()


def test_masked_mean_divides_by_what_is_kept() -> None:
    values = torch.tensor([[[1.0], [3.0], [float("nan")]], [[1.0], [1.0], [1.0]]])
    mask = torch.tensor([[True, True, False], [False, False, False]])
    assert masked_mean(values, mask).tolist() == [[2.0], [0.0]]


def test_valid_steps_are_the_first_ones() -> None:
    expected = [[False, False, False], [True, True, False], [True, True, True]]
    assert valid_steps(torch.tensor([0, 2, 5]), 3).tolist() == expected
