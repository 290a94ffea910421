"""DMTL's options: each does what it says, survives a resume, and refuses what it cannot be."""

from __future__ import annotations

import math

import pytest
import torch

from pipeline.mtl import build_mtl


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
    assert (
        method.weights
        != (step(printed := build_dmtl(initial="theory"), *batch), printed.weights)[1]
    )


@pytest.mark.parametrize("option", [{"weight_optimizer": "adam"}, {"W": "shared"}, {"norm": "rms"}])
def test_options_change_the_weights(build_dmtl, batch, option, step):
    default, other = build_dmtl(initial="theory"), build_dmtl(initial="theory", **option)
    for method in (default, other):
        step(method, *batch)
    assert default.weights != other.weights


def test_raw_rates_differ_from_relative_ones(build_dmtl, batch, step):
    weights = []
    for rate in ("relative", "raw"):
        method = build_dmtl(initial="theory", rate=rate)
        for _ in range(5):
            step(method, *batch)
        weights.append(method.weights)
    assert weights[0] != weights[1]


@pytest.mark.parametrize(
    "option",
    [
        {"weight_optimizer": "adam"},
        {"initial": "first_batch", "cycle_epochs": 2},
        {"initial": "theory", "W": "shared"},
    ],
)
def test_resume_is_bit_identical_with_every_kind_of_state(build_dmtl, batch, option, step):
    predictions, targets = batch

    def run(method, steps):
        for k in steps:
            step(method, predictions, {name: y.roll(k) for name, y in targets.items()})
            if k % 2:
                method.on_cycle_end()
        return method.weights

    method = build_dmtl(**option)
    run(method, range(5))
    fresh = build_dmtl(**option)
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
