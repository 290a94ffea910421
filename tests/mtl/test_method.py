"""What all methods promise: masking, bookkeeping, and a state that can be resumed."""

from __future__ import annotations

import copy

import pytest
import torch

from pipeline.mtl import METHODS, Task, build_mtl
from pipeline.mtl.method import Predictions

# The sum of the weights of F tasks; the other methods' are not fixed.
SUMS = {"dmtl": 4.0, "lsew": 4.0, "mtinet": 4.0, "dwa": 4.0, "gradnorm": 4.0}
SUMS |= {"moo": 1.0, "rlw": 1.0, "famo": 1.0}
# Whose smallest weights may be rounded to 0.
SPARSE = ("moo", "dwa", "famo")


@pytest.fixture(params=sorted(METHODS))
def name(request):
    return request.param


@pytest.fixture
def network(toy, tasks):
    """A network like the toy, whose heads also hand out what mtinet's deep supervision needs."""

    class Supervised(toy):
        def forward(self, x):
            out = super().forward(x)
            auxiliary = [{k: 0.5 * z for k, z in out.logits.items()}, dict(out.logits)]
            return Predictions(out.logits, out.hidden, out.shared, auxiliary)

    return Supervised(tasks)


@pytest.fixture
def method(name, tasks, counts):
    return build_mtl(name, tasks, **counts).double()


def unknown(tasks, rows):
    return {task.name: torch.full((rows,), -1) for task in tasks}


def bits(method):
    return {k: v.clone() for k, v in method.state_dict().items()}


def equal(first, second):
    return first.keys() == second.keys() and all(torch.equal(first[k], second[k]) for k in first)


def test_a_batch_without_labels_gives_no_loss_no_gradient_and_changes_nothing(
    method, network, tasks, make_inputs
):
    before = bits(method)
    out = method.objective(network(make_inputs(6)), unknown(tasks, 6))
    out.loss.backward()
    method.on_step(lambda: network(make_inputs(6)))
    assert out.loss.item() == 0.0
    assert out.task_losses == {}
    assert not any(p.grad.any() for p in network.parameters() if p.grad is not None)
    assert equal(before, bits(method))


def test_a_task_without_labels_leaves_its_head_and_its_state_alone(
    name, method, network, tasks, make_inputs, make_labels
):
    targets = make_labels(tasks, 8)
    for _ in range(2):  # the second epoch has weights that move
        method.objective(network(make_inputs(8)), targets)
        method.on_step(lambda: network(0.9 * make_inputs(8)))
        method.on_epoch_end()
    before = bits(method)
    out = method.objective(network(make_inputs(8)), targets | {"kind": torch.full((8,), -1)})
    out.loss.backward()
    method.on_step(lambda: network(0.9 * make_inputs(8)))
    assert list(out.task_losses) == ["damage", "victim", "useful"]
    assert network.last[1].weight.grad is None
    assert network.first[1].weight.grad is None
    assert network.trunk.weight.grad.any()
    for key, value in bits(method).items():
        if value.shape == (4,):
            assert torch.equal(value[1], before[key][1]), key


def test_one_task_is_its_own_loss(name, toy, make_inputs, make_labels):
    tasks = (Task("kind", ("none", "flood", "fire")),)
    network = toy(tasks)
    out = network(make_inputs(6))
    predictions = Predictions(out.logits, out.hidden, out.shared, [out.logits])
    targets = make_labels(tasks, 6)
    method = build_mtl(name, tasks, positives={"kind": 1}, labelled={"kind": 3}).double()
    for _ in range(3):
        out = method.objective(predictions, targets)
        weight = method.log_variances.neg().exp().item() if name == "uw" else 1.0
        torch.testing.assert_close(out.loss, weight * out.task_losses["kind"])
        method.on_step(lambda: predictions)
        method.on_epoch_end()
    # CAGrad adds c times the gradient's own direction.
    expected = {"uw": pytest.approx(weight), "cagrad": pytest.approx(1.5)}
    assert method.weights == {"kind": expected.get(name, 1.0)}


def test_extreme_logits_never_give_nan(name, method, network, tasks, make_inputs, make_labels):
    targets = make_labels(tasks, 8)
    for scale in (1e4, -1e4, 0.0, 1e-12):
        with torch.no_grad():
            for layer in network.last:
                layer.weight.fill_(scale)
        out = method.objective(network(make_inputs(8)), targets)
        network.zero_grad()
        out.loss.backward()
        method.on_step(lambda: network(0.9 * make_inputs(8)))
        method.on_epoch_end()
        assert out.loss.isfinite()
        assert all(p.grad.isfinite().all() for p in network.parameters())
        assert all(w > 0 or (w == 0 and name in SPARSE) for w in method.weights.values())
        total = sum(method.weights.values())
        assert total == pytest.approx(SUMS.get(name, total))


def test_initial_losses_are_the_first_epochs_mean_weighted_by_labels(
    method, network, tasks, make_inputs, make_labels
):
    predictions, targets = network(make_inputs(12)), make_labels(tasks, 12)
    assert method.initial_losses == {}
    for rows in (slice(0, 3), slice(3, 12)):
        piece = network(make_inputs(12)[rows])
        method.objective(piece, {k: v[rows] for k, v in targets.items()})
        method.on_step(lambda piece=piece: piece)
    assert method.initial_losses == {}
    method.on_epoch_end()
    whole = method.evaluation_losses(predictions, targets)
    expected = {k: loss.item() for k, (loss, _) in whole.items()}
    assert method.initial_losses == pytest.approx(expected)
    # A later epoch does not change them.
    method.objective(network(2 * make_inputs(12)), targets)
    method.on_step(lambda: predictions)
    method.on_epoch_end()
    assert method.initial_losses == pytest.approx(expected)


def test_a_task_first_labelled_in_a_later_epoch_starts_there(
    method, network, tasks, make_inputs, make_labels
):
    targets = make_labels(tasks, 8)
    method.objective(network(make_inputs(8)), targets | {"kind": torch.full((8,), -1)})
    before = method.weights["kind"]
    method.on_step(lambda: network(make_inputs(8)))
    method.on_epoch_end()
    assert method.initial_losses
    assert "kind" not in method.initial_losses
    assert method.weights["kind"] == before
    out = method.objective(network(make_inputs(8)), targets)
    method.on_step(lambda: network(make_inputs(8)))
    method.on_epoch_end()
    assert method.initial_losses["kind"] == pytest.approx(out.task_losses["kind"].item())


def test_evaluation_touches_no_state_and_counts_labels(
    method, network, tasks, make_inputs, make_labels
):
    targets = make_labels(tasks, 8) | {"kind": torch.full((8,), -1)}
    out = method.objective(network(make_inputs(8)), targets)
    before = bits(method)
    with torch.no_grad():
        losses = method.evaluation_losses(network(make_inputs(8)), targets)
    assert equal(before, bits(method))
    counts = {k: int((v >= 0).sum()) for k, v in targets.items() if k != "kind"}
    assert {k: n for k, (_, n) in losses.items()} == counts
    for key, loss in out.task_losses.items():
        assert torch.equal(losses[key][0], loss)
        assert not losses[key][0].requires_grad


@pytest.mark.parametrize(
    ("name", "options"),
    [
        *((name, {}) for name in sorted(METHODS)),
        ("dmtl", {"initial": "first_batch", "cycle": "run", "smoothing": 0.9}),
        ("dmtl", {"initial": "theory", "W": "shared"}),
    ],
)
def test_a_state_loaded_half_way_continues_bit_for_bit(
    name, options, network, tasks, counts, make_inputs, make_labels
):
    method = build_mtl(name, tasks, **counts, **options).double()
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1)

    def run(network, optimizer, method, steps):
        values = []
        for step in steps:
            targets = {k: v.roll(step) for k, v in make_labels(tasks, 8).items()}
            x = make_inputs(8).roll(step, 0)
            out = method.objective(network(x), targets)
            optimizer.zero_grad()
            out.loss.backward()
            optimizer.step()
            method.on_step(lambda x=x: network(x))
            if step % 3 == 2:
                method.on_epoch_end()
            values.append((out.loss.item(), *method.weights.values()))
        return values

    run(network, optimizer, method, range(7))
    saved = copy.deepcopy((network, bits(method)))
    generator = torch.get_rng_state()
    expected = run(network, optimizer, method, range(7, 16))
    network, state = saved
    fresh = build_mtl(name, tasks, **counts, **options).double()
    fresh.load_state_dict(state)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
    torch.set_rng_state(generator)
    assert run(network, optimizer, fresh, range(7, 16)) == expected
    assert equal(bits(fresh), bits(method))


def test_a_method_has_nothing_that_the_networks_optimizer_could_move(method):
    assert list(method.parameters()) == []
    assert all(not value.requires_grad for value in method.buffers())


def test_a_step_without_an_objective_is_an_error(tasks):
    method = build_mtl("lsew", tasks)
    with pytest.raises(RuntimeError, match="without objective"):
        method.on_step()


def test_an_empty_epoch_changes_nothing(method):
    before = method.weights
    method.on_epoch_end()
    assert method.initial_losses == {}
    assert method.weights == before
