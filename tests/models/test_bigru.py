from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from pipeline.models.bigru import BidirectionalGRU, reverse_rows


def in_the_library(name: str) -> str:
    """The name that torch's own GRU gives to a parameter: `forwards.1.weight_ih_l0`."""
    side, layer, parameter = name.split(".")
    return parameter.replace("_l0", f"_l{layer}" + ("_reverse" if side == "backwards" else ""))


def of_the_library(model: BidirectionalGRU) -> nn.GRU:
    """torch's own bidirectional GRU with the same parameters."""
    layers = len(model.forwards)
    first = model.forwards[0]
    assert isinstance(first, nn.GRU)
    gru = nn.GRU(first.input_size, first.hidden_size, layers, batch_first=True, bidirectional=True)
    gru.load_state_dict({in_the_library(name): value for name, value in model.state_dict().items()})
    return gru.double()


@given(st.lists(st.integers(1, 6), min_size=1, max_size=5), st.integers(1, 3), st.integers(0, 2))
def test_states_and_gradients_are_those_of_packed_rows(
    lengths: list[int], layers: int, padding: int
) -> None:
    model = BidirectionalGRU(3, 4, layers, dropout=0.0).double()
    library = of_the_library(model)
    x = torch.randn(len(lengths), max(lengths) + padding, 3, dtype=torch.float64)
    other = x.clone().requires_grad_()
    x.requires_grad_()
    ends = torch.tensor(lengths)
    packed = pack_padded_sequence(other, ends, batch_first=True, enforce_sorted=False)
    expected = pad_packed_sequence(library(packed)[0], batch_first=True)[0]
    valid = (torch.arange(max(lengths)) < ends.unsqueeze(1)).unsqueeze(-1)
    states = model(x, ends)[:, : max(lengths)]
    torch.testing.assert_close(torch.where(valid, states, 0.0), expected)
    torch.where(valid, states, 0.0).square().sum().backward()
    expected.square().sum().backward()
    torch.testing.assert_close(x.grad, other.grad)
    theirs = dict(library.named_parameters())
    for name, parameter in model.named_parameters():
        torch.testing.assert_close(parameter.grad, theirs[in_the_library(name)].grad)


def test_reversal_turns_each_row_within_its_own_end() -> None:
    rows = torch.tensor([[1, 2, 3, 9], [4, 9, 9, 9], [9, 9, 9, 9], [5, 6, 7, 8.0]]).unsqueeze(-1)
    turned = reverse_rows(rows.transpose(0, 1), torch.tensor([3, 1, 0, 4])).squeeze(-1)
    assert turned.T.tolist() == [[3, 2, 1, 9], [4, 9, 9, 9], [9, 9, 9, 9], [8, 7, 6, 5]]


@pytest.mark.parametrize("layers", [1, 2])
def test_dropout_acts_between_layers_and_nowhere_else(layers: int) -> None:
    model = BidirectionalGRU(3, 4, layers, dropout=0.5)
    x, lengths = torch.randn(2, 5, 3), torch.tensor([5, 2])
    assert torch.equal(model(x, lengths), model(x, lengths)) == (layers == 1)
