"""DMTL's options: each does what it says, and survives a resume."""

from __future__ import annotations

import pytest
import torch

from pipeline.mtl import build_mtl
from pipeline.mtl.balancing import balancing_gradient, inverse_training_rates, renormalised
from pipeline.mtl.labelled import (
    labelled_tasks,
    last_layer_gradients,
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
    gradients = (
        shared_gradients(labelled, predictions.logits, predictions.shared, 2.0)
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
        method.on_epoch_end()
        ends[rebalance] = torch.tensor(list(method.weights.values()))
    inverse = 1 / torch.tensor([loss.item() for loss in out.task_losses.values()])
    torch.testing.assert_close(ends["none"], before)
    torch.testing.assert_close(ends["reset"], 4 * inverse / inverse.sum())
    torch.testing.assert_close(ends["multiply"], 4 * before * inverse / (before * inverse).sum())


@pytest.mark.parametrize("kind", ["softmax", "sigmoid"])
def test_without_equation_11_and_reset_it_is_focal_step_for_step(
    tasks, toy, make_inputs, make_labels, step, kind
):
    tasks = [task for task in tasks if task.head == kind]
    counts = {"positives": {t.name: 3 for t in tasks}, "labelled": {t.name: 9 for t in tasks}}
    results = []
    for name, options in (("focal", {}), ("dmtl", {"balance": "none", "rebalance": "none"})):
        network, method = toy(tasks), build_mtl(name, tasks, beta=1.5, **counts, **options).double()
        optimizer = torch.optim.Adam(network.parameters(), lr=0.1)
        for k in range(6):
            optimizer.zero_grad()
            targets = {name: y.roll(k) for name, y in make_labels(tasks, 12).items()}
            step(method, network(make_inputs(12)), targets).loss.backward()
            optimizer.step()
            if k % 2:
                method.on_epoch_end()
        results.append((network.state_dict(), method.weights, method.initial_losses))
    (state, *rest), (other, *other_rest) = results
    assert all(torch.equal(value, other[name]) for name, value in state.items())
    assert rest == other_rest


def test_smoothing_gives_equation_11_means_over_the_batches_that_have_labels_of_a_task(
    build_dmtl, tasks, counts, batch, step
):
    """By hand with 1/2: of three batches the last counts 1, the one before 1/2, the first 1/4."""
    method = build_dmtl(initial="theory", smoothing=0.5)
    predictions, targets = batch
    values = []
    for changed in ({}, {"kind": torch.full((12,), -1)}, {"victim": targets["victim"].roll(1)}):
        before = torch.tensor(list(method.weights.values()), dtype=torch.float64)
        labelled = labelled_tasks(tasks, targets | changed)
        gradients = last_layer_gradients(labelled, predictions.logits, predictions.hidden, 2.0)
        losses = step(method, predictions, targets | changed).task_losses
        pairs = zip(losses.items(), gradients, strict=True)
        values.append({k: torch.stack((loss, gradient.norm())) for (k, loss), gradient in pairs})
    means = []
    for task in tasks:
        newest_first = [v[task.name] for v in reversed(values) if task.name in v]
        shares = 0.5 ** torch.arange(len(newest_first), dtype=torch.float64)
        means.append(shares @ torch.stack(newest_first) / shares.sum())
    losses, norms = torch.stack(means, dim=1)
    ratios = [counts["labelled"][task.name] / counts["positives"][task.name] for task in tasks]
    rates = inverse_training_rates(losses, torch.tensor(list(method.initial_losses.values())))
    gradient = balancing_gradient(before, norms, rates, torch.tensor(ratios), 1.0)
    expected = renormalised(before - 0.025 * gradient, 4.0)
    assert list(method.weights.values()) == pytest.approx(expected.tolist())


def test_smoothing_changes_nothing_where_all_batches_are_the_same(build_dmtl, batch, step):
    weights = []
    for smoothing in (0.0, 0.9):
        method = build_dmtl(initial="theory", smoothing=smoothing)
        for _ in range(5):
            step(method, *batch)
        weights.append(list(method.weights.values()))
    assert weights[0] == pytest.approx(weights[1])
    assert weights[0] != [1.0] * 4


def test_raw_rates_differ_from_relative_ones(build_dmtl, batch, step):
    weights = []
    for rate in ("relative", "raw"):
        method = build_dmtl(initial="theory", rate=rate)
        for _ in range(5):
            step(method, *batch)
        weights.append(method.weights)
    assert weights[0] != weights[1]
