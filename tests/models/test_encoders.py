from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from pipeline.models.encoders import (
    AttentiveBiGRU,
    BidirectionalGRU,
    PooledVector,
    build_encoder,
)

Encoder = AttentiveBiGRU | PooledVector


def encoder(name: str) -> Encoder:
    return build_encoder(name, 3, hidden=4).double()


def from_definition(model: AttentiveBiGRU, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """One unpadded row (T, d), step by step."""
    states = model.gru(x[None], torch.tensor([len(x)]))
    W, b = model.key.weight, model.key.bias
    scores = torch.stack([model.query.weight[0] @ torch.tanh(W @ h + b) for h in states[0]])
    attention = scores.exp() / scores.exp().sum()
    return sum(a * h for a, h in zip(attention, states[0], strict=True)), attention


@given(st.lists(st.integers(1, 5), min_size=1, max_size=4), st.integers(0, 3))
def test_gru_equals_its_definition_row_by_row(lengths: list[int], padding: int) -> None:
    model = AttentiveBiGRU(3, hidden=4).double()
    x = torch.randn(len(lengths), max(lengths) + padding, 3, dtype=torch.float64)
    vector, attention = model(x, torch.tensor(lengths))
    for row, length in enumerate(lengths):
        expected, weights = from_definition(model, x[row, :length])
        torch.testing.assert_close(vector[row], expected)
        torch.testing.assert_close(attention[row, :length], weights)
        assert (attention[row, length:] == 0).all()


@given(st.lists(st.integers(1, 5), min_size=1, max_size=4))
def test_pooled_vector_is_the_mean_of_the_valid_steps(lengths: list[int]) -> None:
    x = torch.randn(len(lengths), max(lengths), 3, dtype=torch.float64)
    vector, attention = PooledVector(3)(x, torch.tensor(lengths))
    for row, length in enumerate(lengths):
        torch.testing.assert_close(vector[row], x[row, :length].mean(dim=0))
        assert (attention[row, :length] == 1 / length).all()


@pytest.mark.parametrize("name", ["bigru", "pooled"])
@pytest.mark.parametrize("content", [0.0, 1e6, float("nan"), float("inf")])
def test_amount_and_content_of_padding_change_nothing(name: str, content: float) -> None:
    model = encoder(name)
    x = torch.randn(3, 4, 3, dtype=torch.float64)
    lengths = torch.tensor([4, 2, 0])
    expected, attention = model(x, lengths)
    padded = torch.full((3, 9, 3), content, dtype=torch.float64)
    padded[0, :4], padded[1, :2] = x[0], x[1, :2]
    padded.requires_grad_()
    vector, longer = model(padded, lengths)
    torch.testing.assert_close(vector, expected, rtol=0, atol=1e-12)
    torch.testing.assert_close(longer[:, :4], attention, rtol=0, atol=1e-12)
    assert longer.shape == (3, 9)
    vector.square().sum().backward()
    assert padded.grad is not None
    assert (padded.grad[0, 4:] == 0).all()
    assert (padded.grad[1, 2:] == 0).all()
    assert (padded.grad[2] == 0).all()
    assert (padded.grad[0, :4] != 0).any()
    assert all(p.grad is None or p.grad.isfinite().all() for p in model.parameters())


@pytest.mark.parametrize("name", ["bigru", "pooled"])
@pytest.mark.parametrize("steps", [0, 1, 3])
def test_a_batch_without_any_step_gives_zeros_and_trains(name: str, steps: int) -> None:
    model = encoder(name)
    x = torch.full((2, steps, 3), float("nan"), dtype=torch.float64, requires_grad=True)
    vector, attention = model(x, torch.tensor([0, 0]))
    assert (vector == 0).all()
    assert vector.shape == (2, model.dim)
    assert attention.shape == (2, steps)
    if vector.requires_grad:
        vector.sum().backward()
        assert all(p.grad is None or (p.grad == 0).all() for p in model.parameters())


def test_unknown_encoder_lists_what_is_allowed() -> None:
    with pytest.raises(ValueError, match="unknown encoder 'gru'; allowed: bigru, pooled"):
        build_encoder("gru", 3)


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
    expected_parameters = dict(library.named_parameters())
    for name, parameter in model.named_parameters():
        torch.testing.assert_close(parameter.grad, expected_parameters[in_the_library(name)].grad)


@pytest.mark.parametrize("layers", [1, 2])
def test_dropout_acts_between_layers_and_nowhere_else(layers: int) -> None:
    model = BidirectionalGRU(3, 4, layers, dropout=0.5)
    x, lengths = torch.randn(2, 5, 3), torch.tensor([5, 2])
    assert torch.equal(model(x, lengths), model(x, lengths)) == (layers == 1)
