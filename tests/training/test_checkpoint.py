"""A killed training resumes and ends with the same bits; what it cannot use it ignores."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from pipeline.models.fusion import FUSIONS
from pipeline.mtl import METHODS
from pipeline.params import TrainParams
from pipeline.training.checkpoint import Checkpoint, training_key
from pipeline.training.examples import Examples
from pipeline.training.model import ModelSpec

Make = Callable[..., Examples]
Run = Callable[..., Any]
EPOCHS = 4


class Killed(BaseException):
    pass


class Disk:
    """Checkpoints of one training in a folder, and the messages about them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.messages: list[str] = []

    def checkpoint(self, key: str = "k", seconds: float = 0.0) -> Checkpoint:
        return Checkpoint(self.folder, key, seconds, self.messages.append)

    @property
    def file(self) -> Path:
        return self.folder / "k.pt"


@pytest.fixture
def disk(tmp_path: Path) -> Disk:
    return Disk(tmp_path / "checkpoints")


def killed_in(epoch: int) -> Callable[[int, dict[str, float]], None]:
    def log(logged: int, values: dict[str, float]) -> None:
        if logged == epoch:
            raise Killed

    return log


def assert_same(result: Any, expected: Any) -> None:
    (network, fitted, log), (other, other_fitted, other_log) = result, expected
    assert fitted == other_fitted
    assert log == other_log
    state = other.state_dict()
    assert all(torch.equal(value, state[name]) for name, value in network.state_dict().items())


@pytest.mark.parametrize(
    ("fusion", "mtl", "options"),
    [
        *(("hgfn", mtl, {}) for mtl in sorted(METHODS)),
        *((fusion, "dmtl", {}) for fusion in sorted({*FUSIONS} - {"hgfn"})),
        ("hgfn", "dmtl", {"initial": "first_batch", "smoothing": 0.9}),
    ],
)
def test_a_training_killed_twice_ends_with_the_bits_of_one_that_was_not(
    make_examples: Make, run: Run, disk: Disk, fusion: str, mtl: str, options: dict[str, Any]
) -> None:
    encoder = "bigru" if options else "pooled"
    data = make_examples(rows=30, longest=3 if options else 1)
    settings = {"fusion": fusion, "mtl": mtl, "options": options, "max_epochs": EPOCHS}
    settings |= {"encoder": encoder, "dropout": 0.5, "learning_rate": 0.03}
    expected = run(data, **settings)
    rng = np.random.default_rng(sum(map(ord, fusion + mtl)))
    first, second = sorted(rng.choice(EPOCHS, 2, replace=False))
    for epoch in (first, second):
        torch.rand(7)  # whatever was drawn before
        with pytest.raises(Killed):
            run(data, **settings, log=killed_in(epoch), checkpoint=disk.checkpoint())
    assert_same(run(data, **settings, checkpoint=disk.checkpoint()), expected)
    assert disk.messages == [f"resumes at epoch {epoch}" for epoch in (first, second) if epoch]


@pytest.mark.parametrize(
    ("mtl", "options", "killed", "epochs", "best"),
    [
        ("lsew", {}, 2, 4, 1),
        *(("dmtl", {"cycle": "run"}, killed, 9, 4) for killed in (2, 4, 6)),  # runs from 4 and 7
    ],
)
def test_early_stopping_resumes_with_its_best_epoch_and_its_run(
    make_examples: Make,
    run: Run,
    disk: Disk,
    mtl: str,
    options: dict[str, Any],
    killed: int,
    epochs: int,
    best: int,
) -> None:
    def score(first: int) -> Any:
        values = iter([0.1, np.float64(0.7), 0.3, 0.2, 0.9, 0.8, 0.4, 0.5, 0.3, 1.0][first:])
        return lambda _: {"mean_map": next(values)}

    settings = {"mtl": mtl, "options": options, "monitor": "map", "patience": 2, "max_epochs": 10}
    data = make_examples()
    expected = run(data, **settings, score=score(0))
    assert (expected[1].epochs, expected[1].best_epoch) == (epochs, best)
    with pytest.raises(Killed):
        run(data, **settings, score=score(0), log=killed_in(killed), checkpoint=disk.checkpoint())
    result = run(data, **settings, score=score(killed), checkpoint=disk.checkpoint())
    assert_same(result, expected)


@pytest.mark.parametrize("scores", [[0.1, 0.2, 0.3, 0.4], [0.1, 0.3, 0.2]])
def test_a_training_killed_after_its_last_epoch_trains_no_further(
    make_examples: Make, run: Run, disk: Disk, scores: list[float]
) -> None:
    values, none = iter(scores), iter([])
    settings = {"monitor": "map", "patience": 1, "max_epochs": 4}
    long = disk.checkpoint(seconds=1000.0)
    expected = run(
        make_examples(), **settings, score=lambda _: {"mean_map": next(values)}, checkpoint=long
    )
    result = run(
        make_examples(), **settings, score=lambda _: next(none), checkpoint=disk.checkpoint()
    )
    assert_same(result, expected)
    assert disk.messages == [f"resumes at epoch {len(scores)}"]


def test_a_checkpoint_is_written_only_when_its_time_has_come(
    make_examples: Make, run: Run, disk: Disk
) -> None:
    for seconds, written in ((1000.0, False), (0.0, True)):
        with pytest.raises(Killed):
            run(make_examples(), log=killed_in(2), checkpoint=disk.checkpoint(seconds=seconds))
        assert disk.file.exists() == written


@pytest.mark.parametrize("damage", ["a flipped bit", "a cut file", "no bytes", "foreign", "text"])
def test_what_is_damaged_or_of_another_training_is_ignored_with_a_message(
    make_examples: Make, run: Run, disk: Disk, damage: str
) -> None:
    expected = run(make_examples())
    with pytest.raises(Killed):
        run(make_examples(), log=killed_in(2), checkpoint=disk.checkpoint())
    data = bytearray(disk.file.read_bytes())
    if damage == "a flipped bit":
        data[np.random.default_rng(0).integers(len(data))] ^= 4
    elif damage == "foreign":
        with pytest.raises(Killed):
            run(make_examples(), seed=1, log=killed_in(2), checkpoint=disk.checkpoint("other"))
        data = bytearray((disk.folder / "other.pt").read_bytes())
    else:
        data = {"a cut file": data[:-1], "no bytes": b"", "text": b"epoch: 2\n"}[damage]
    disk.file.write_bytes(data)
    assert_same(run(make_examples(), checkpoint=disk.checkpoint()), expected)
    assert disk.messages == [f"{disk.file} is damaged or of another training: starts at epoch 0"]


def test_a_training_goes_on_without_checkpoints_where_none_can_be_written(
    make_examples: Make, run: Run, disk: Disk
) -> None:
    disk.folder.write_text("a file where the folder should be")
    assert_same(run(make_examples(), checkpoint=disk.checkpoint()), run(make_examples()))
    (message,) = disk.messages
    assert message.startswith("no checkpoints, a killed training will start at epoch 0: ")
    assert str(disk.folder) in message


def test_at_the_end_nothing_is_left_of_this_training_nor_of_killed_writers(disk: Disk) -> None:
    writer = (
        "import os, sys, pathlib; from pipeline.ground.temporaries import temporary_name;"
        "temporary_name(pathlib.Path(sys.argv[1])).touch()"
    )
    checkpoint = disk.checkpoint()
    checkpoint.save(lambda: {"epochs": []})
    subprocess.run([sys.executable, "-c", writer, str(disk.folder / "other.pt")], check=True)
    disk.checkpoint("another").save(lambda: {"epochs": []})
    assert len(list(disk.folder.iterdir())) == 3
    checkpoint.remove()
    assert [path.name for path in disk.folder.iterdir()] == ["another.pt"]


def test_each_thing_that_changes_a_result_changes_the_key(
    make_examples: Make, spec_of: Callable[..., ModelSpec], params: TrainParams
) -> None:
    def changed_by_a_bit(data: Examples) -> Examples:
        sequences = {name: [a.copy() for a in arrays] for name, arrays in data.sequences.items()}
        sequences["text"][1].view(np.uint8)[0, 0] ^= 1
        return replace(data, sequences=sequences)

    data = make_examples()
    spec = spec_of(data.dims)
    label = {**data.targets, "kind": np.where(data.targets["kind"] == 1, 2, data.targets["kind"])}
    variants: list[tuple[ModelSpec, Examples, Any, int, str]] = [
        (spec, data, params, 0, "cpu"),
        (spec, data, params, 1, "cpu"),
        (spec, data, params, 0, "cuda"),
        (spec_of(data.dims, mtl="dmtl"), data, params, 0, "cpu"),
        (spec_of(data.dims, fusion="hgfn"), data, params, 0, "cpu"),
        (replace(spec, encoder="bigru"), data, params, 0, "cpu"),
        *(
            (spec, data, params.model_copy(update={name: value}), 0, "cpu")
            for name, value in (("learning_rate", 0.02), ("members", 2), ("monitor", "f1"))
        ),
        (spec, changed_by_a_bit(data), params, 0, "cpu"),
        (spec, replace(data, targets=label), params, 0, "cpu"),
        (spec, replace(data, split=data.split[::-1]), params, 0, "cpu"),
        (spec, replace(data, ids=data.ids[::-1]), params, 0, "cpu"),
    ]
    keys = [training_key(*variant) for variant in variants]
    assert len(set(keys)) == len(keys)
    assert training_key(spec, make_examples(), params, 0, "cpu") == keys[0]


@pytest.mark.parametrize(
    ("module", "name", "value"),
    [
        (torch, "__version__", "0"),
        (np, "__version__", "0"),
        (torch.backends.cpu, "get_cpu_capability", lambda: "another"),
        (torch, "get_num_threads", lambda: 99),
    ],
)
def test_another_version_or_processor_changes_the_key(
    make_examples: Make,
    spec_of: Callable[..., ModelSpec],
    params: TrainParams,
    monkeypatch: pytest.MonkeyPatch,
    module: Any,
    name: str,
    value: object,
) -> None:
    data = make_examples()
    key = training_key(spec_of(data.dims), data, params, 0, "cpu")
    monkeypatch.setattr(module, name, value)
    assert training_key(spec_of(data.dims), data, params, 0, "cpu") != key
