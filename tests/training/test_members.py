"""Members: each is a training of its own, and the result is the mean of their probabilities."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from pipeline.params import TrainParams
from pipeline.training.checkpoint import Checkpoint
from pipeline.training.examples import Examples
from pipeline.training.fit import train
from pipeline.training.members import Trained, member_seed, train_members
from pipeline.training.model import ModelSpec
from pipeline.training.predict import predict

Make = Callable[..., Examples]
SpecOf = Callable[..., ModelSpec]


def of_dmtl(spec_of: SpecOf, data: Examples, members: int) -> ModelSpec:
    return spec_of(data.dims, fusion="hgfn", mtl="dmtl", members=members)


def same(first: torch.nn.Module, second: torch.nn.Module) -> bool:
    pairs = zip(first.state_dict().values(), second.state_dict().values(), strict=True)
    return all(torch.equal(*values) for values in pairs)


@pytest.mark.parametrize("members", [1, 3])
def test_each_member_is_the_training_of_its_own_seed_bit_for_bit(
    make_examples: Make, spec_of: SpecOf, params: TrainParams, members: int
) -> None:
    data = make_examples()
    spec = of_dmtl(spec_of, data, members)
    trained = train_members(spec, data, params, seed=5)
    assert len(trained.networks) == len(trained.fitted) == members
    for member, network in enumerate(trained.networks):
        alone, fitted = train(spec, data, params, seed=member_seed(5, member))
        assert same(network, alone)
        assert trained.fitted[member] == fitted
    assert not any(same(trained.networks[0], other) for other in trained.networks[1:])


def test_probabilities_are_the_mean_of_the_members(
    make_examples: Make, spec_of: SpecOf, params: TrainParams
) -> None:
    data, rows = make_examples(), np.arange(20)
    spec = of_dmtl(spec_of, data, 3)
    networks = train_members(spec, data, params, seed=0).networks
    alone = [predict([network], data, spec.tasks, rows) for network in networks]
    for name, values in predict(networks, data, spec.tasks, rows).items():
        expected = np.mean([probabilities[name] for probabilities in alone], axis=0)
        np.testing.assert_allclose(values, expected, rtol=1e-15)
        assert not np.allclose(values, alone[0][name], rtol=1e-3)


def test_no_seeds_of_a_comparison_share_a_member() -> None:
    seeds = [member_seed(seed, member) for seed in range(100) for member in range(100)]
    assert len(set(seeds)) == len(seeds)
    assert [member_seed(seed, 0) for seed in range(100)] == list(range(100))


def test_each_member_ends_at_its_own_epoch_and_the_log_counts_on(
    make_examples: Make, spec_of: SpecOf, params: TrainParams
) -> None:
    data = make_examples()
    spec = of_dmtl(spec_of, data, 2)
    params = params.model_copy(update={"monitor": "map", "patience": 1, "max_epochs": 9})
    scores, logged = iter([0.1, 0.3, 0.2, 0.2, 0.1]), list[int]()
    trained = train_members(
        spec,
        data,
        params,
        seed=0,
        score=lambda _: {"mean_map": next(scores)},
        log=lambda epoch, values: logged.append(epoch),
    )
    assert logged == [0, 1, 2, 3, 4]
    parameters = sum(p.numel() for p in spec.build_network().parameters())
    assert trained.facts == {"parameters": 2 * parameters, "epochs": 5, "best_epochs": [1, 0]}


@pytest.mark.parametrize("epoch", [1, 3, 4, 6])
def test_a_killed_training_resumes_within_the_member_it_was_in(
    make_examples: Make, spec_of: SpecOf, params: TrainParams, tmp_path: Path, epoch: int
) -> None:
    data, messages = make_examples(), list[str]()
    spec = of_dmtl(spec_of, data, 2)

    def run(killed_in: int = -1, seconds: float = 0.0) -> tuple[Trained, list[Any]]:
        logged = list[Any]()

        def log(number: int, values: dict[str, float]) -> None:
            if number == killed_in:
                raise KeyboardInterrupt
            logged.append((number, values))

        checkpoints = [Checkpoint(tmp_path, f"k-{m}", seconds, messages.append) for m in range(2)]
        result = train_members(spec, data, params, seed=0, log=log, checkpoints=checkpoints)
        for checkpoint in checkpoints:
            checkpoint.remove()
        return result, logged

    expected, log = run()
    with pytest.raises(KeyboardInterrupt):
        run(killed_in=epoch)
    result, same_log = run()
    assert result.fitted == expected.fitted
    assert log == same_log
    assert same(result.networks, expected.networks)
    # Four epochs a member: the finished one is complete, the other begins where it was.
    assert messages == [
        f"resumes at epoch {done}" for done in ([epoch] if epoch < 4 else [4, epoch - 4]) if done
    ]
    # Also where no checkpoint was due but the one at the first member's end.
    messages.clear()
    with pytest.raises(KeyboardInterrupt):
        run(killed_in=6, seconds=1000.0)
    assert same(run()[0].networks, expected.networks)
    assert messages == ["resumes at epoch 4"]
