from __future__ import annotations

import pytest
import torch

from pipeline.mtl.mtinet_layers import (
    BatchNorm,
    Distillation,
    FeaturePropagation,
    ResidualBlock,
    SqueezeExcitation,
)


def features(rows: int = 6, tasks: int = 3, width: int = 8) -> torch.Tensor:
    return torch.sin(torch.arange(rows * tasks * width, dtype=torch.float32)).view(
        rows, tasks, width
    )


def test_one_row_in_training_is_normalised_as_in_evaluation_and_leaves_the_statistics():
    norm = BatchNorm(4)
    norm(features(5, 1, 4)[:, 0])
    before = norm.running_mean.clone(), norm.running_var.clone(), norm.num_batches_tracked.clone()
    row = torch.tensor([[1.0, -2.0, 0.5, 3.0]])
    trained = norm(row)
    assert torch.equal(trained, norm.eval()(row))
    after = norm.running_mean, norm.running_var, norm.num_batches_tracked
    assert all(torch.equal(a, b) for a, b in zip(before, after, strict=True))


@pytest.mark.parametrize("inputs", [8, 5])
def test_a_residual_block_with_a_zeroed_body_is_its_skip(inputs):
    block = ResidualBlock(inputs, 8).eval()
    with torch.no_grad():
        block.body[0].weight.zero_()
    x = features(4, 1, inputs)[:, 0]
    torch.testing.assert_close(block(x), torch.relu(block.skip(x)))


def test_squeeze_excitation_keeps_signs_and_never_grows():
    x = features(4, 1, 32)[:, 0]
    gated = SqueezeExcitation(32)(x)
    assert ((gated * x) >= 0).all()
    assert (gated.abs() <= x.abs()).all()
    assert SqueezeExcitation(8).gate[0].out_features == 4
    assert SqueezeExcitation(256).gate[0].out_features == 16


@pytest.mark.parametrize("tasks", [1, 3, 7])
def test_the_mask_sums_to_one_over_the_tasks(tasks):
    torch.manual_seed(0)
    mask = FeaturePropagation(tasks, 8).mask(features(6, tasks))
    assert mask.shape == (6, tasks, 8)
    torch.testing.assert_close(mask.sum(dim=1), torch.ones(6, 8))


def test_the_authors_codes_mask_sums_to_one_over_neighbouring_channels():
    """Three tasks of four features: their groups are 000, 011, 112, 222 by task."""
    torch.manual_seed(0)
    block = FeaturePropagation(3, 4, mask="channels")
    groups = block.mask(features(6, 3)[:, :, :4]).flatten(1).unflatten(1, (4, 3))
    torch.testing.assert_close(groups.sum(dim=2), torch.ones(6, 4))
    assert not torch.allclose(groups.flatten(1).unflatten(1, (3, 4)).sum(dim=1), torch.ones(6, 4))


def test_distillation_is_the_gated_sum_over_the_other_tasks():
    torch.manual_seed(0)
    block, x = Distillation(3, 8), features()
    out = block(x)
    for t in range(3):
        expected = x[:, t].clone()
        for a in range(3):
            if a == t:
                continue
            place = t if t < a else t - 1
            gates = block.sources[a].weight[place * 8 : place * 8 + 8]
            values = block.sources[a].weight[(2 + place) * 8 : (2 + place) * 8 + 8]
            expected += torch.sigmoid(x[:, a] @ gates.T) * (x[:, a] @ values.T)
        torch.testing.assert_close(out[:, t], expected)


def test_distillation_has_one_pair_for_each_ordered_pair_of_tasks_and_no_bias():
    assert sum(p.numel() for p in Distillation(4, 8).parameters()) == 4 * 3 * 2 * 8 * 8


def test_one_task_distils_from_none():
    block = Distillation(1, 8)
    assert list(block.parameters()) == []
    assert torch.equal(block(features(6, 1)), features(6, 1))
