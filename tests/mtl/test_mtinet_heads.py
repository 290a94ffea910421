from __future__ import annotations

import pytest
import torch

from pipeline.mtl.mtinet import MTINetHeads

OUTPUTS = {"b.first": 1, "a": 3, "c": 2}  # a dot, and no alphabetical order


def levels(rows: int, dims: tuple[int, ...]) -> list[torch.Tensor]:
    return [torch.cos(torch.arange(rows * n, dtype=torch.float32) + n).view(rows, n) for n in dims]


@pytest.fixture(autouse=True)
def _seeded():
    torch.manual_seed(0)


@pytest.mark.parametrize("dims", [(5,), (5, 6), (5, 5, 7), (4, 4, 4, 4)])
@pytest.mark.parametrize("rows", [1, 2, 9])
@pytest.mark.parametrize("training", [True, False])
def test_shapes_for_any_levels_and_batches_of_one(dims, rows, training):
    heads = MTINetHeads(dims, OUTPUTS, width=8).train(training)
    logits, hidden, auxiliary = heads(torch.zeros(rows, 10), levels(rows, dims))
    assert {k: tuple(v.shape) for k, v in logits.items()} == {
        k: (rows, n) for k, n in OUTPUTS.items()
    }
    assert {tuple(v.shape) for v in hidden.values()} == {(rows, 8)}
    assert len(auxiliary) == len(dims)
    for level in auxiliary:
        assert {k: tuple(v.shape) for k, v in level.items()} == {
            k: (rows, n) for k, n in OUTPUTS.items()
        }
    assert all(v.isfinite().all() for v in logits.values())


@pytest.mark.parametrize("rows", [1, 4])
def test_a_fusion_without_levels_gets_three_from_the_shared_representation(rows):
    heads = MTINetHeads([], OUTPUTS, width=8)
    logits, _, auxiliary = heads(torch.randn(rows, 8), [])
    assert len(auxiliary) == 3
    logits["a"].sum().backward()
    assert heads.ladder[0][0].weight.grad.any()


def test_hidden_is_the_last_linears_input():
    heads = MTINetHeads((5, 6), OUTPUTS, width=8)
    logits, hidden, _ = heads(torch.zeros(4, 10), levels(4, (5, 6)))
    for name, layer in zip(OUTPUTS, heads.predict, strict=True):
        torch.testing.assert_close(logits[name], layer(hidden[name]))


@pytest.mark.parametrize("dims", [(5, 6), (5, 5, 7)])
def test_one_task_works(dims):
    heads = MTINetHeads(dims, {"only": 3}, width=8)
    logits, _, auxiliary = heads(torch.zeros(4, 10), levels(4, dims))
    assert logits["only"].shape == (4, 3)
    assert len(auxiliary) == len(dims)


def cross_gradients(heads: MTINetHeads, dims: tuple[int, ...]) -> list[bool]:
    """Whether task 0's final loss reaches task 1's refinement, level by level."""
    logits, _, _ = heads(torch.zeros(6, 10), levels(6, dims))
    logits["b.first"].square().sum().backward()
    reached = []
    for scale in heads.scales:
        gradient = scale.refine[1][0].body[0].weight.grad
        reached.append(gradient is not None and bool(gradient.any()))
    return reached


def test_a_tasks_final_loss_reaches_the_others_initial_features():
    assert cross_gradients(MTINetHeads((5, 6, 7), OUTPUTS, width=8), (5, 6, 7)) == [True] * 3


def test_without_distillation_and_propagation_the_tasks_are_independent_networks():
    heads = MTINetHeads((5, 6, 7), OUTPUTS, width=8)
    with torch.no_grad():
        for block in heads.distil:
            for parameter in block.parameters():
                parameter.zero_()
        for block in heads.propagate:
            for parameter in block.reduce.parameters():
                parameter.zero_()
    assert cross_gradients(heads, (5, 6, 7)) == [False] * 3


def test_coarse_levels_inform_finer_predictions_and_never_the_other_way():
    heads = MTINetHeads((5, 6), OUTPUTS, width=8)
    given = [level.requires_grad_() for level in levels(6, (5, 6))]
    _, _, auxiliary = heads(torch.zeros(6, 10), given)
    fine, coarse = auxiliary
    both = torch.autograd.grad(fine["a"].square().sum(), given, retain_graph=True)
    assert all(gradient.any() for gradient in both)
    up, down = torch.autograd.grad(coarse["a"].square().sum(), given, allow_unused=True)
    assert up is None
    assert down.any()


def test_a_row_in_evaluation_does_not_depend_on_its_batch():
    heads = MTINetHeads((5, 6), OUTPUTS, width=8).eval()
    given = levels(6, (5, 6))
    whole, _, _ = heads(torch.zeros(6, 10), given)
    alone, _, _ = heads(torch.zeros(1, 10), [level[2:3] for level in given])
    torch.testing.assert_close(whole["a"][2:3], alone["a"])


def test_every_parameter_learns():
    heads = MTINetHeads([], OUTPUTS, width=8)
    logits, _, auxiliary = heads(torch.randn(9, 8), [])
    sum(v.square().sum() for level in (logits, *auxiliary) for v in level.values()).backward()
    still = [name for name, p in heads.named_parameters() if p.grad is None]
    assert still == []


def test_dropout_acts_on_first_and_final_predictions_in_training_alone():
    heads = MTINetHeads((5, 6), OUTPUTS, width=8, dropout=0.5)
    for module in heads.modules():
        if isinstance(module, torch.nn.BatchNorm1d):
            module.eval()  # so that dropout alone differs between two calls
    batch = torch.zeros(4, 10), levels(4, (5, 6))
    (first, _, early), (second, _, later) = heads(*batch), heads(*batch)
    assert not torch.equal(first["a"], second["a"])
    assert not torch.equal(early[0]["a"], later[0]["a"])
    heads.eval()
    torch.testing.assert_close(heads(*batch)[0]["a"], heads(*batch)[0]["a"], rtol=0, atol=0)
