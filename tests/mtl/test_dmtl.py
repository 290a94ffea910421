"""DMTL end to end on the toy network: order of a step, masking, resets, options."""

from __future__ import annotations

import copy
import math

import pytest
import torch

from pipeline.mtl import Task, build_mtl
from pipeline.mtl.dmtl import uniform_guess_loss


@pytest.fixture
def build(tasks, counts):
    return lambda **options: build_mtl("dmtl", tasks, **counts, **options).double()


# Pinned: computed once by this code, in float64.
LOSSES = [0.25752166134867627, 0.866935032231396, 0.34791552538303944, 0.18357047942529037]
SECOND = 1.1977466760269682
WEIGHTS = [1.1280015721317407, 0.3673878912118506, 0.8933242121139152, 1.6112863245424933]


def step(method, predictions, targets):
    out = method.objective(predictions, targets)
    method.on_step()
    return out


def test_values(build, batch):
    """Pinned: two epochs of one batch without touching the network, then a third step."""
    method = build()
    first = step(method, *batch)
    method.on_cycle_end()
    second = step(method, *batch)
    losses = [loss.item() for loss in first.task_losses.values()]
    assert losses == pytest.approx(LOSSES, abs=1e-12)
    assert first.loss.item() == pytest.approx(sum(LOSSES), abs=1e-12)
    assert second.loss.item() == pytest.approx(SECOND, abs=1e-12)
    assert list(method.weights.values()) == pytest.approx(WEIGHTS, abs=1e-12)


def test_beta_zero_is_plain_cross_entropy(build, tasks, batch):
    plain = build_mtl("lsew", tasks).objective(*batch)
    ours = build(beta=0.0).objective(*batch)
    assert torch.equal(ours.loss, plain.loss)


def test_the_network_steps_with_the_weights_before_the_update(build, batch):
    method = build(initial="first_batch")
    step(method, *batch)
    before = torch.tensor(list(method.weights.values()), dtype=torch.float64)
    out = method.objective(*batch)
    losses = torch.stack(list(out.task_losses.values()))
    torch.testing.assert_close(out.loss.detach(), (before * losses).sum())
    assert list(method.weights.values()) == before.tolist()
    method.on_step()
    assert list(method.weights.values()) != before.tolist()


@pytest.mark.parametrize("W", ["own", "shared"])
def test_no_balancing_gradient_reaches_the_network(build, toy, tasks, make_inputs, make_labels, W):
    method = build(initial="theory", W=W)
    network, targets = toy(tasks), make_labels(tasks, 8)
    step(method, network(make_inputs(8)), targets)
    weights = list(method.weights.values())
    # The oracle: plain losses with those weights as constants.
    twin = copy.deepcopy(network)
    plain = build(initial="theory").objective
    out = plain(twin(make_inputs(8)), targets)
    assert len(set(weights)) == 4
    losses = build().evaluation_losses  # no graph: only its values
    assert losses(twin(make_inputs(8)), targets)
    from pipeline.mtl.labelled import labelled_tasks, mean_losses

    graph = mean_losses(labelled_tasks(tasks, targets), twin(make_inputs(8)).logits, 2.0)
    sum(w * loss for w, loss in zip(weights, graph, strict=True)).backward()
    out = method.objective(network(make_inputs(8)), targets)
    out.loss.backward()
    before = [p.grad.clone() for p in network.parameters()]
    method.on_step()
    for after, first, oracle in zip(network.parameters(), before, twin.parameters(), strict=True):
        assert torch.equal(after.grad, first)
        torch.testing.assert_close(first, oracle.grad, atol=1e-14, rtol=1e-12)


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
@pytest.mark.parametrize("W", ["own", "shared"])
@pytest.mark.parametrize("norm", ["l2", "rms"])
def test_weights_are_positive_and_sum_to_the_number_of_tasks(
    build, toy, tasks, make_inputs, make_labels, optimizer, W, norm
):
    method = build(W=W, norm=norm, weight_optimizer=optimizer, weight_learning_rate=5.0)
    network = toy(tasks)
    seen = set()
    for k in range(12):
        targets = {name: y.roll(k) for name, y in make_labels(tasks, 8).items()}
        step(method, network(make_inputs(8).roll(k, 0)), targets)
        weights = method.weights.values()
        assert sum(weights) == pytest.approx(4.0, abs=1e-12)
        assert all(w > 0 for w in weights)
        seen.add(tuple(weights))
        if k % 4 == 3:
            method.on_cycle_end()
    assert len(seen) >= 6


def test_a_batch_without_a_tasks_labels_keeps_its_weight_and_mean(build, batch):
    method = build(initial="theory")
    predictions, targets = batch
    step(method, predictions, targets)
    before = {k: v.clone() for k, v in method.state_dict().items()}
    step(method, predictions, targets | {"kind": torch.full((12,), -1)})
    after = method.state_dict()
    for key in ("task_weights", "loss_sums", "loss_counts", "start_losses"):
        assert torch.equal(after[key][1], before[key][1])
    assert not torch.equal(after["task_weights"], before["task_weights"])
    assert after["task_weights"].sum().item() == pytest.approx(4.0, abs=1e-12)


def test_one_labelled_task_cannot_move_its_weight(build, batch):
    method = build(initial="theory")
    predictions, targets = batch
    step(method, predictions, targets)
    before = method.weights
    alone = {k: (v if k == "kind" else torch.full((12,), -1)) for k, v in targets.items()}
    step(method, predictions, alone)
    assert method.weights == before


def test_weights_stay_one_until_the_initial_losses_are_known(build, batch):
    method = build()
    for _ in range(3):
        step(method, *batch)
        assert set(method.weights.values()) == {1.0}
    method.on_cycle_end()
    assert len(set(method.weights.values())) == 4


def test_a_cycle_ends_in_the_reset_to_equal_weighted_losses(build, batch):
    method = build(initial="first_batch")
    out = step(method, *batch)
    method.on_cycle_end()
    losses = torch.stack(list(out.task_losses.values()))
    weights = torch.tensor(list(method.weights.values()), dtype=torch.float64)
    scalars = losses.max() / losses
    torch.testing.assert_close(weights, 4 * scalars / scalars.sum())


def test_the_reset_uses_the_unweighted_mean_of_the_cycle_by_label_counts(
    build, toy, tasks, make_inputs, make_labels
):
    method, network = build(), toy(tasks)
    targets = make_labels(tasks, 12)
    for part in (slice(0, 2), slice(2, 12)):
        step(method, network(make_inputs(12)[part]), {k: v[part] for k, v in targets.items()})
    whole = method.evaluation_losses(network(make_inputs(12)), targets)
    method.on_cycle_end()
    weighted = [method.weights[name] * loss.item() for name, (loss, _) in whole.items()]
    assert weighted == pytest.approx([weighted[0]] * 4)


def test_a_cycle_may_last_several_epochs(build, batch):
    method = build(cycle_epochs=2, initial="theory")
    step(method, *batch)
    before = method.weights
    method.on_cycle_end()
    assert method.weights == before
    step(method, *batch)
    moved = method.weights
    method.on_cycle_end()
    assert method.weights != moved
    assert not method.loss_counts.any()


def test_a_reset_keeps_the_weight_of_a_task_that_had_no_labels(build, batch):
    method = build(initial="theory")
    predictions, targets = batch
    step(method, predictions, targets)
    method.on_cycle_end()
    before = method.weights
    step(method, predictions, targets | {"kind": torch.full((12,), -1)})
    method.on_cycle_end()
    assert method.weights["kind"] == before["kind"]
    assert sum(method.weights.values()) == pytest.approx(4.0, abs=1e-12)


def test_resets_never_touch_the_initial_losses(build, batch):
    method = build()
    step(method, *batch)
    method.on_cycle_end()
    first = method.initial_losses
    predictions, targets = batch
    for _ in range(2):
        step(method, predictions, {k: v.roll(1) for k, v in targets.items()})
        method.on_cycle_end()
    assert method.initial_losses == first


def test_initial_losses_of_the_first_batch(build, batch):
    method = build(initial="first_batch")
    predictions, targets = batch
    out = step(method, predictions, targets | {"kind": torch.full((12,), -1)})
    found = {name: loss.item() for name, loss in out.task_losses.items()}
    assert method.initial_losses == found
    later = step(method, predictions, {k: v.roll(1) for k, v in targets.items()})
    assert method.initial_losses == found | {"kind": later.task_losses["kind"].item()}


def test_initial_losses_in_theory_are_those_of_a_uniform_guess(build, tasks, toy, make_inputs):
    method = build(initial="theory", beta=2.0)
    network = toy(tasks)
    with torch.no_grad():
        for layer in network.last:
            layer.weight.zero_()
            layer.bias.zero_()
    targets = {task.name: torch.tensor([0, 1, 1]) for task in tasks}
    found = method.evaluation_losses(network(make_inputs(3)), targets)
    assert method.initial_losses == pytest.approx(
        {name: loss.item() for name, (loss, _) in found.items()}, rel=1e-6
    )
    assert uniform_guess_loss(tasks[0], 2.0) == pytest.approx(0.25 * math.log(2))


def test_ratios_act_in_the_objective_where_the_option_says_so(build, counts, batch):
    method = build(imbalance="loss", initial="theory")
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
    assert method.weights != (step(printed := build(initial="theory"), *batch), printed.weights)[1]


@pytest.mark.parametrize("option", [{"weight_optimizer": "adam"}, {"W": "shared"}, {"norm": "rms"}])
def test_options_change_the_weights(build, batch, option):
    default, other = build(initial="theory"), build(initial="theory", **option)
    for method in (default, other):
        step(method, *batch)
    assert default.weights != other.weights


def test_raw_rates_differ_from_relative_ones(build, batch):
    weights = []
    for rate in ("relative", "raw"):
        method = build(initial="theory", rate=rate)
        for _ in range(5):
            step(method, *batch)
        weights.append(method.weights)
    assert weights[0] != weights[1]


def test_one_weight_learning_step_is_equation_11_by_hand(build, batch):
    """First step from equal weights, alpha 0: only the sign of g_f - mean g counts."""
    method = build(initial="theory", alpha=0.0)
    method.objective(*batch)
    norms = method.gradient_norms
    method.on_step()
    mean = sum(norms.values()) / 4
    ratios = dict(zip(norms, (4.0, 2.0, 8.0, 1.0), strict=True))
    moved = {k: 1 - 0.025 * ratios[k] * g * math.copysign(1, g - mean) for k, g in norms.items()}
    total = sum(moved.values())
    assert method.weights == pytest.approx({k: 4 * w / total for k, w in moved.items()})


@pytest.mark.parametrize(
    "option",
    [
        {"weight_optimizer": "adam"},
        {"initial": "first_batch", "cycle_epochs": 2},
        {"initial": "theory", "W": "shared"},
    ],
)
def test_resume_is_bit_identical_with_every_kind_of_state(build, batch, option):
    predictions, targets = batch

    def run(method, steps):
        for k in steps:
            step(method, predictions, {name: y.roll(k) for name, y in targets.items()})
            if k % 2:
                method.on_cycle_end()
        return method.weights

    method = build(**option)
    run(method, range(5))
    fresh = build(**option)
    fresh.load_state_dict({k: v.clone() for k, v in method.state_dict().items()})
    assert run(fresh, range(5, 12)) == run(method, range(5, 12))
    for key, value in method.state_dict().items():
        assert torch.equal(fresh.state_dict()[key], value), key


@pytest.mark.parametrize(
    ("option", "value", "allowed"),
    [
        ("W", "last", "own, shared"),
        ("norm", "l1", "l2, rms"),
        ("imbalance", "both", "tdb, loss"),
        ("rate", "absolute", "relative, raw"),
        ("initial", "zero", "first_epoch, first_batch, theory"),
        ("weight_optimizer", "rmsprop", "sgd, adam"),
        ("alpha", -1.0, "at least 0"),
        ("beta", math.nan, "at least 0"),
        ("beta", math.inf, "at least 0"),
        ("weight_learning_rate", 0.0, "above 0"),
        ("minimum_weight", 0.0, "above 0, at most 1"),
        ("cycle_epochs", 0, "at least 1"),
    ],
)
def test_a_wrong_option_names_itself_its_value_and_what_is_allowed(
    tasks, counts, option, value, allowed
):
    with pytest.raises(ValueError, match=f"option {option} is {value!r}; allowed: .*{allowed}"):
        build_mtl("dmtl", tasks, **counts, **{option: value})


def test_a_task_that_no_row_bears_is_an_error():
    task = Task("fire", ("n", "y"), negative="n", head="sigmoid")
    with pytest.raises(ValueError, match="'fire' has 0 positive samples"):
        build_mtl("dmtl", [task], positives={"fire": 0}, labelled={"fire": 10})
