from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pipeline.models.standardise import Standardise


@given(st.lists(st.integers(0, 5), min_size=1, max_size=6), st.floats(0.1, 1e4))
def test_statistics_are_those_of_all_rows_together(sizes: list[int], mean: float) -> None:
    rng = np.random.default_rng(sum(sizes))
    arrays = [mean + rng.normal(size=(n, 3)) for n in sizes]
    everything = np.concatenate(arrays)
    module = Standardise.fit(3, arrays)
    if len(everything) < 2:
        return
    np.testing.assert_allclose(module.mean, everything.mean(axis=0), rtol=1e-6)
    np.testing.assert_allclose(module.std, everything.std(axis=0), rtol=1e-5)


def test_standardised_training_rows_have_mean_zero_and_deviation_one() -> None:
    rows = 5 + 3 * torch.randn(200, 4)
    out = Standardise.fit(4, [rows])(rows[None], torch.tensor([200]))[0]
    torch.testing.assert_close(out.mean(dim=0), torch.zeros(4), atol=1e-5, rtol=0)
    torch.testing.assert_close(out.std(dim=0, correction=0), torch.ones(4))


def test_a_constant_feature_is_divided_by_one() -> None:
    # Neighbouring float32 numbers are one feature's rounding, not its spread.
    close = torch.nextafter(torch.tensor(0.1), torch.tensor(1.0)).item()
    rows = torch.tensor([[0.1, 2.0], [0.1, 4.0], [close, 9.0]])
    module = Standardise.fit(2, [rows[:1], rows[1:]])
    assert module.std[0] == 1
    out = module(torch.tensor([[[0.1, 5.0], [7.1, 5.0]]]), torch.tensor([2]))
    torch.testing.assert_close(out[0, :, 0], torch.tensor([0.0, 7.0]))


def test_padded_steps_stay_zero_whatever_they_contain() -> None:
    module = Standardise.fit(2, [3 + torch.randn(10, 2)])
    x = torch.full((2, 3, 2), float("nan"))
    x[0, :2] = 1.0
    x.requires_grad_()
    out = module(x, torch.tensor([2, 0]))
    assert (out[0, 2] == 0).all()
    assert (out[1] == 0).all()
    out.sum().backward()
    assert x.grad is not None
    assert x.grad.isfinite().all()
    assert (x.grad[1] == 0).all()


def test_without_rows_it_is_the_identity() -> None:
    module = Standardise.fit(2, [np.zeros((0, 2))])
    x = torch.randn(1, 3, 2)
    assert torch.equal(module(x, torch.tensor([3])), x)


def test_an_array_with_nan_is_an_error_that_says_which() -> None:
    with pytest.raises(ValueError, match="array 1 has NaN"):
        Standardise.fit(2, [np.zeros((1, 2)), np.array([[1.0, np.nan]])])
