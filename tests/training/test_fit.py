"""Training: what is learned and logged, from which rows, and that a seed gives the same bits."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np
import pytest
import torch

from pipeline.models.fusion import FUSIONS
from pipeline.mtl import METHODS, Task
from pipeline.training.examples import Examples
from pipeline.training.fit import make_repeatable
from pipeline.training.predict import predict

Make = Callable[..., Examples]
Run = Callable[..., Any]
PAPERS = ("dmtl", "lsew", "moo", "mtinet")
OTHERS = sorted({*METHODS} - {*PAPERS})


@pytest.mark.parametrize(
    ("fusion", "encoder", "mtl"),
    [
        *product(["hgfn"], ["pooled"], PAPERS),
        ("hgfn", "bigru", "lsew"),
        *product(["projected"], ["pooled"], OTHERS),
    ],
)
def test_a_separable_problem_is_learned_despite_absent_modalities_and_labels(
    make_examples: Make, run: Run, tasks: tuple[Task, ...], fusion: str, encoder: str, mtl: str
) -> None:
    data = make_examples(rows=120, longest=1 if encoder == "pooled" else 3)
    network, _, _ = run(
        data, fusion=fusion, mtl=mtl, encoder=encoder, max_epochs=60, learning_rate=0.003
    )
    test = data.rows("test")
    # Rows with both modalities determine every label.
    whole = test[data.present("text")[test] & data.present("visual")[test]]
    right = {}
    for name, values in predict([network], data, tasks, whole).items():
        truth = data.targets[name][whole]
        right[name] = (values.argmax(axis=1) == truth)[truth >= 0].mean()
    # MOO and DMTL give nearly all the weight to the tasks they have solved.
    assert (max if mtl in ("moo", "dmtl") else min)(right.values()) > 0.85, right


def test_each_epoch_is_logged_once_with_losses_weights_and_scores(
    make_examples: Make, run: Run, tasks: tuple[Task, ...]
) -> None:
    names = [task.name for task in tasks]
    _, fitted, log = run(make_examples(), mtl="dmtl", max_epochs=3)
    assert len(log) == fitted.epochs == 3
    groups = ("loss/train", "loss/validation", "weight", "validation/map")
    expected = {f"{group}/{name}" for group in groups for name in names}
    expected |= {f"validation/mean_{score}" for score in ("f1", "hl", "map")}
    for values in log:
        assert set(values) == expected | {"loss/validation_relative"}
        assert all(isinstance(value, float) and np.isfinite(value) for value in values.values())


def test_a_task_labelled_nowhere_in_validation_is_trained_but_not_monitored(
    make_examples: Make, run: Run
) -> None:
    data = make_examples()
    data.targets["kind"][data.rows("val")] = -1
    _, _, log = run(data, mtl="dmtl")
    for values in log:
        assert "loss/train/kind" in values
        assert "loss/validation/kind" not in values
        assert "validation/map/kind" not in values


@pytest.mark.parametrize("mtl", sorted(METHODS))
def test_a_task_labelled_in_one_row_only_trains_with_the_others(
    make_examples: Make, run: Run, tasks: tuple[Task, ...], mtl: str
) -> None:
    data = make_examples()
    train = data.rows("train")
    known = train[data.targets["kind"][train] > 0][:1]
    others = np.setdiff1d(np.arange(len(data.ids)), known)
    data.targets["kind"][others] = -1
    _, _, log = run(data, tasks, mtl=mtl)
    assert all(np.isfinite(list(values.values())).all() for values in log)


def test_a_batch_without_labels_moves_nothing(
    make_examples: Make, run: Run, tasks: tuple[Task, ...]
) -> None:
    data = make_examples()
    train = data.rows("train")
    useful = data.targets["useful"]
    useful[train[useful[train] >= 0][1:]] = -1
    sizes = []
    for batch_size in (1, len(train)):
        # Each step takes nine per cent off every parameter.
        settings = {"weight_decay": 9.0, "max_epochs": 1, "batch_size": batch_size}
        network, _, _ = run(data, tasks[:1], **settings)
        sizes.append(float(sum(p.detach().square().sum() for p in network.parameters())))
    assert sizes[0] == pytest.approx(sizes[1], rel=0.1)


def test_a_task_without_a_negative_class_trains_with_a_ratio_of_one(
    make_examples: Make, run: Run, tasks: tuple[Task, ...]
) -> None:
    without = (replace(tasks[0], negative=None), *tasks[1:])
    with pytest.warns(UserWarning, match="N/n_f is taken as 1 for useful"):
        _, fitted, _ = run(make_examples(), without, mtl="dmtl", max_epochs=2)
    assert fitted.epochs == 2


def test_validation_losses_are_those_of_the_probabilities_without_dropout(
    make_examples: Make, run: Run, tasks: tuple[Task, ...]
) -> None:
    data = make_examples()
    network, _, (values,) = run(data, mtl="lsew", max_epochs=1)
    rows = data.rows("val")
    for name, probabilities in predict([network], data, tasks, rows).items():
        truth = data.targets[name][rows]
        of_truth = np.take_along_axis(probabilities, truth.clip(0)[:, None], axis=1)[truth >= 0]
        expected = -np.log(of_truth).mean()
        assert values[f"loss/validation/{name}"] == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize(
    ("fusion", "mtl"), [*product(sorted(FUSIONS), PAPERS), *product(["hgfn"], OTHERS)]
)
def test_every_fusion_trains_with_every_method_even_on_a_last_batch_of_one_row(
    make_examples: Make, run: Run, fusion: str, mtl: str
) -> None:
    data = make_examples()
    rows = len(data.rows("train"))
    network, fitted, log = run(data, fusion=fusion, mtl=mtl, max_epochs=2, batch_size=rows - 1)
    assert (fitted.epochs, len(log)) == (2, 2)
    assert all(np.isfinite(list(values.values())).all() for values in log)
    assert all(parameter.isfinite().all() for parameter in network.parameters())


@pytest.mark.parametrize("fusion", sorted(FUSIONS))
def test_every_fusion_trains_on_sequences_of_three_modalities_or_one(
    make_examples: Make, run: Run, fusion: str
) -> None:
    data = make_examples(longest=3)
    third = {**data.sequences, "audio": data.sequences["visual"]}
    for modalities in (third, {"text": data.sequences["text"]}):
        chosen = Examples(data.ids, data.split, modalities, data.targets)
        _, _, (values,) = run(chosen, fusion=fusion, encoder="bigru", max_epochs=1)
        assert np.isfinite(list(values.values())).all()


def test_losses_after_a_step_are_compared_under_the_same_dropout(
    make_examples: Make, run: Run, tasks: tuple[Task, ...]
) -> None:
    """Steps too small for a float32: no loss changes, and FAMO's weights remain as 1 / L_f."""
    settings = {"dropout": 0.5, "batch_size": 100, "learning_rate": 1e-30}
    _, _, log = run(make_examples(), mtl="famo", **settings)
    for values in log:
        products = [values[f"weight/{t.name}"] * values[f"loss/train/{t.name}"] for t in tasks]
        assert products == pytest.approx([products[0]] * len(tasks), rel=1e-5)


def test_a_second_pass_over_a_batch_moves_no_running_mean(make_examples: Make, run: Run) -> None:
    """FAMO runs each batch twice; the normalisation of GFN's joint vector counts it once."""
    data = make_examples()
    network, fitted, _ = run(data, fusion="gfn", mtl="famo", batch_size=10)
    batches = -(-len(data.rows("train")) // 10)
    tracked = [v for k, v in network.named_buffers() if k.endswith("num_batches_tracked")]
    assert set(map(int, tracked)) == {(fitted.best_epoch + 1) * batches}


def test_the_same_seed_gives_the_same_bits_and_another_seed_others(
    make_examples: Make, run: Run
) -> None:
    states = []
    for seed in (0, 0, 1):
        torch.rand(len(states))  # whatever was drawn before
        network, _, log = run(make_examples(), fusion="hgfn", mtl="dmtl", seed=seed)
        states.append((network.state_dict(), log))
    (first, log), (again, same_log), (other, _) = states
    assert log == same_log
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not all(torch.equal(first[name], other[name]) for name in first)


def test_features_are_scaled_by_training_rows_alone(make_examples: Make, run: Run) -> None:
    plain, changed = make_examples(), make_examples()
    for row in np.flatnonzero(changed.split != "train"):
        changed.sequences["text"][row] += 1000
    first, second = (run(data, max_epochs=1)[0].standardise for data in (plain, changed))
    for name, value in first.state_dict().items():
        assert torch.equal(value, second.state_dict()[name])


def test_test_rows_have_no_influence(make_examples: Make, run: Run) -> None:
    data = make_examples()
    targets = {name: values.copy() for name, values in data.targets.items()}
    for values in targets.values():
        values[data.rows("test")] = 0
    sequences = {
        name: [a + 5 if side == "test" else a for a, side in zip(arrays, data.split, strict=True)]
        for name, arrays in data.sequences.items()
    }
    changed = replace(data, targets=targets, sequences=sequences)
    (network, _, log), (other, _, other_log) = run(data, mtl="dmtl"), run(changed, mtl="dmtl")
    assert log == other_log
    state = other.state_dict()
    assert all(torch.equal(value, state[name]) for name, value in network.state_dict().items())


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    threads, strict = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    filling = torch.utils.deterministic.fill_uninitialized_memory
    yield
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(strict)
    torch.utils.deterministic.fill_uninitialized_memory = filling


def test_one_thread_and_repeatable_operations_without_filled_memory() -> None:
    torch.set_num_threads(2)
    torch.utils.deterministic.fill_uninitialized_memory = True
    make_repeatable()
    assert torch.get_num_threads() == 1
    assert torch.are_deterministic_algorithms_enabled()
    assert not torch.utils.deterministic.fill_uninitialized_memory


@pytest.mark.parametrize("encoder", ["pooled", "bigru"])
def test_no_training_reads_memory_before_it_is_written(
    make_examples: Make, run: Run, encoder: str
) -> None:
    data = make_examples(longest=3 if encoder == "bigru" else 1)
    make_repeatable()
    network, _, _ = run(data, fusion="hgfn", mtl="mtinet", encoder=encoder)
    # NaN in each fresh tensor: a value that is read from there shows in the parameters.
    torch.utils.deterministic.fill_uninitialized_memory = True
    filled, _, _ = run(data, fusion="hgfn", mtl="mtinet", encoder=encoder)
    for name, value in network.state_dict().items():
        assert torch.equal(value, filled.state_dict()[name]), name
