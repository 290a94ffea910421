"""DMTL's options: each does what it says, and survives a resume."""

from __future__ import annotations

import pytest
import torch

from pipeline.mtl import build_mtl
from pipeline.mtl.labelled import (
    labelled_tasks,
    last_layer_gradients,
    mean_losses,
    shared_gradients,
)


def test_ratios_act_in_the_objective_where_the_option_says_so(build_dmtl, counts, batch, step):
    method = build_dmtl(imbalance="loss", initial="theory")
    out = step(method, *batch)
    expected = sum(
        counts["labelled"][k] / counts["positives"][k] * loss.item()
        for k, loss in out.task_losses.items()
    )
    assert out.loss.item() == pytest.approx(expected)
    # What is balanced does not know them: the same weights as with no ratios at all.
    ones = {"positives": counts["labelled"], "labelled": counts["labelled"]}
    plain = build_mtl("dmtl", method.tasks, initial="theory", **ones).double()
    step(plain, *batch)
    assert method.weights == plain.weights
    printed = build_dmtl(initial="theory")
    step(printed, *batch)
    assert method.weights != printed.weights


@pytest.mark.parametrize("W", ["own", "shared"])
@pytest.mark.parametrize("norm", ["l2", "rms"])
def test_a_first_step_of_the_weights_is_equation_11_by_hand(build_dmtl, tasks, batch, W, norm):
    """From equal weights with alpha 0: only the sign of g_f - mean g counts."""
    method = build_dmtl(initial="theory", alpha=0.0, W=W, norm=norm)
    predictions, targets = batch
    method.objective(predictions, targets)
    labelled = labelled_tasks(tasks, targets)
    losses = mean_losses(labelled, predictions.logits, 2.0)
    gradients = (
        shared_gradients(losses, predictions.shared)
        if W == "shared"
        else last_layer_gradients(labelled, predictions.logits, predictions.hidden, 2.0)
    )
    norms = [g.square().mean().sqrt() if norm == "rms" else g.norm() for g in gradients]
    g = torch.stack(norms).detach()
    method.on_step()
    weights = 1 - 0.025 * torch.tensor([4.0, 2.0, 8.0, 1.0]) * g * (g - g.mean()).sign()
    expected = 4 * weights / weights.sum()
    assert list(method.weights.values()) == pytest.approx(expected.tolist())


def test_a_cycles_end_resets_multiplies_or_leaves_the_weights(build_dmtl, batch, step):
    ends = {}
    for rebalance in ("reset", "multiply", "none"):
        method = build_dmtl(initial="theory", rebalance=rebalance)
        out = step(method, *batch)
        before = torch.tensor(list(method.weights.values()))
        method.on_cycle_end()
        ends[rebalance] = torch.tensor(list(method.weights.values()))
    inverse = 1 / torch.tensor([loss.item() for loss in out.task_losses.values()])
    torch.testing.assert_close(ends["none"], before)
    torch.testing.assert_close(ends["reset"], 4 * inverse / inverse.sum())
    torch.testing.assert_close(ends["multiply"], 4 * before * inverse / (before * inverse).sum())


def test_raw_rates_differ_from_relative_ones(build_dmtl, batch, step):
    weights = []
    for rate in ("relative", "raw"):
        method = build_dmtl(initial="theory", rate=rate)
        for _ in range(5):
            step(method, *batch)
        weights.append(method.weights)
    assert weights[0] != weights[1]
