from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from pipeline.models.bigru import BidirectionalGRU, reverse_rows


def of_the_library(model: BidirectionalGRU) -> nn.GRU:
    """torch's own bidirectional GRU with the same parameters."""
    layers = len(model.forwards)
    first = model.forwards[0]
    assert isinstance(first, nn.GRU)
    gru = nn.GRU(first.input_size, first.hidden_size, layers, batch_first=True, bidirectional=True)
    gru.load_state_dict(
        {
            name.replace("_l0", f"_l{layer}{suffix}"): value
            for suffix, side in (("", model.forwards), ("_reverse", model.backwards))
            for layer, one in enumerate(side)
            for name, value in one.state_dict().items()
        }
    )
    return gru.double()


@given(st.lists(st.integers(1, 6), min_size=1, max_size=5), st.integers(1, 3), st.integers(0, 2))
def test_states_and_gradients_are_those_of_packed_rows(
    lengths: list[int], layers: int, padding: int
) -> None:
    model = BidirectionalGRU(3, 4, layers, dropout=0.0).double()
    library = of_the_library(model)
    x = torch.randn(len(lengths), max(lengths) + padding, 3, dtype=torch.float64)
    ends = torch.tensor(lengths)
    packed = pack_padded_sequence(x, ends, batch_first=True, enforce_sorted=False)
    expected = pad_packed_sequence(library(packed)[0], batch_first=True)[0]
    valid = (torch.arange(max(lengths)) < ends.unsqueeze(1)).unsqueeze(-1)
    states = model(x, ends)[:, : max(lengths)]
    torch.testing.assert_close(torch.where(valid, states, 0.0), expected)
    torch.where(valid, states, 0.0).square().sum().backward()
    expected.square().sum().backward()
    ours = sorted(float(p.grad.norm()) for p in model.parameters())  # type: ignore[union-attr]
    theirs = sorted(float(p.grad.norm()) for p in library.parameters())  # type: ignore[union-attr]
    assert ours == pytest.approx(theirs)


def test_reversal_turns_each_row_within_its_own_end() -> None:
    rows = torch.tensor([[1, 2, 3, 9], [4, 9, 9, 9], [9, 9, 9, 9], [5, 6, 7, 8.0]]).unsqueeze(-1)
    turned = reverse_rows(rows.transpose(0, 1), torch.tensor([3, 1, 0, 4])).squeeze(-1)
    assert turned.T.tolist() == [[3, 2, 1, 9], [4, 9, 9, 9], [9, 9, 9, 9], [8, 7, 6, 5]]


@pytest.mark.parametrize("layers", [1, 2])
def test_dropout_acts_between_layers_and_nowhere_else(layers: int) -> None:
    model = BidirectionalGRU(3, 4, layers, dropout=0.5)
    x, lengths = torch.randn(2, 5, 3), torch.tensor([5, 2])
    assert torch.equal(model(x, lengths), model(x, lengths)) == (layers == 1)
