"""Each benchmark runs at a tiny size, and both of its sides compute the same numbers.

No time is asserted: what a machine does beside the tests is no property of the code.
"""

from __future__ import annotations

import functools
import json
from pathlib import Path
from types import ModuleType

import pytest
import torch
import typer

from benchmarks import __main__ as command
from benchmarks import duplicates, elmo, gradnorm, growth, inception, text_tower, towers, vision
from benchmarks.gradnorm import GradNormTrainer
from benchmarks.problem import Size, Trainer
from benchmarks.timing import Effort, Line, Times, interleaved, times_as_fast
from pipeline.mtl.labelled import labelled_tasks, mean_losses

pytestmark = pytest.mark.heavy

TINY = Size((7, 5, 6), tasks=3, batch=8, width=12)
TINY_VIT = vision.VIT_B32 | {"hidden_size": 24, "num_hidden_layers": 1, "image_size": 32}


def test_work_is_done_in_turn_and_the_first_rounds_are_not_counted() -> None:
    done: list[str] = []
    times = interleaved({name: lambda name=name: done.append(name) for name in "ab"}, 2)
    assert done == ["a", "b"] * 5
    assert {name: len(measured.seconds) for name, measured in times.items()} == {"a": 2, "b": 2}


def test_gradnorm_by_its_own_way_gives_dmtls_steps() -> None:
    ours, theirs = Trainer("dmtl", TINY), GradNormTrainer(TINY, layer="own")
    for _ in range(3):
        assert ours.step() == pytest.approx(theirs.step(), rel=1e-5)
        weights = list(ours.method.weights.values())
        assert weights == pytest.approx(theirs.weights.tolist(), rel=1e-4)
    assert len(set(weights)) == 3


def test_gradnorm_on_the_shared_layer_moves_other_weights() -> None:
    shared, own = GradNormTrainer(TINY), GradNormTrainer(TINY, layer="own")
    assert {id(layer) for layer in shared.layers()} == {id(shared.network.trunk[0].weight)}
    for trainer in (shared, own):
        trainer.step()
        assert trainer.weights.sum().item() == pytest.approx(3)
    assert not torch.allclose(shared.weights, own.weights)


def test_gradnorms_gradient_never_reaches_the_network() -> None:
    trainer = GradNormTrainer(TINY)
    losses = mean_losses(
        labelled_tasks(trainer.balance.tasks, trainer.targets), trainer.predictions().logits, 2.0
    )
    trainer.weight_gradient(losses)
    assert all(p.grad is None for p in trainer.network.parameters())


def test_steps_are_measured() -> None:
    lines = gradnorm.measure(Effort(repeats=1, size=TINY))
    assert [line.limit for line in lines] == [1.10, 0.9, None]
    assert all(line.value is not None and line.value > 0 for line in lines)


def test_more_modalities_and_tasks_are_measured() -> None:
    modalities, tasks = growth.measure(Effort(repeats=1, size=TINY))
    assert modalities.what == "a DMTL step with 6 modalities against 2"
    assert tasks.what == "a DMTL step with 64 tasks against 1"
    assert all(line.value is not None and line.value > 0 for line in (modalities, tasks))


def test_the_memory_of_a_step_does_not_grow_with_the_epochs() -> None:
    time, memory = growth.measure_epochs(Effort(late=40, size=TINY))
    assert time.value is not None
    assert memory.value == 1


def test_a_line_is_met_within_its_limit_if_both_results_agree() -> None:
    assert Line("l", 2.0, 1.7, at_least=True).met is True
    assert Line("l", 1.6, 1.7, at_least=True).met is False
    assert Line("l", 2.0, 1.7, at_least=True, exact=False).met is False
    assert Line("l", 1.1, 1.15, at_least=False).met is True
    assert Line("l", None, 1.7, at_least=True).met is None
    assert Line("l", 1.6, None, at_least=True).met is None


def test_times_as_fast_is_of_neighbours() -> None:
    assert times_as_fast(Times([1.0, 20.0, 3.0]), Times([2.0, 40.0, 3.0])) == 2


def test_the_command_prints_tables_and_writes_what_it_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(command, "Effort", functools.partial(Effort, size=TINY))
    names = ["training", "growth", "epochs"]
    command.main(repeats=1, late=20, only=names, json_file=tmp_path / "measured.json")
    assert "LSEW" in capsys.readouterr().out
    measured = json.loads((tmp_path / "measured.json").read_text())
    assert set(measured) == set(names)
    assert "a DMTL step against LSEW" in measured["training"]
    assert measured["epochs"]["memory of DMTL's step 20 against step 10"]["met"] is True


def test_lines_are_printed_in_one_table(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = [
        Line("as fast", 2.0, 1.7, at_least=True),
        Line("in bf16", None, 3.0, at_least=True, detail="no bf16"),
    ]
    monkeypatch.setattr(command, "SECTIONS", {"some": lambda effort: lines})
    command.main(repeats=1)
    printed = capsys.readouterr().out.splitlines()
    assert any("as fast" in row and "met" in row for row in printed)
    assert any("in bf16" in row and "skipped" in row for row in printed)


def test_an_unknown_part_is_refused_with_the_known_ones() -> None:
    with pytest.raises(typer.BadParameter, match=r"epoch; allowed: epochs, training"):
        command.main(only=["epoch"])


@pytest.mark.parametrize(
    ("section", "sizes"),
    [
        (inception, {"count": 2, "size": 80}),
        (elmo, {"model": "small", "count": 4}),
        (text_tower, {"count": 4, "sizes": {"hidden_size": 24, "num_hidden_layers": 1}}),
        (vision, {"count": 2, "convolutional": "test_efficientnet", "transformer": TINY_VIT}),
    ],
)
def test_each_precision_is_measured_against_the_plain_network_and_agrees(
    section: ModuleType, sizes: dict[str, object]
) -> None:
    lines = section.measure(Effort(repeats=1), **sizes)
    limits = list(section.LEAST.values())
    assert [line.limit for line in lines] == limits * (len(lines) // len(limits))
    assert all(line.exact for line in lines)
    # Trained ones may stand further apart, and nobody measured that.
    rounded = lines[1]
    assert rounded.value is None or "on untrained weights" in rounded.detail
    assert lines[0].value is not None
    assert lines[0].value > 0


def test_near_duplicates_are_timed_at_two_sizes() -> None:
    (line,) = duplicates.measure(Effort(repeats=1), count=50)
    assert line.value is not None
    assert line.value > 0


def test_a_processor_without_bfloat16_skips_its_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(towers, "cpu_has_bfloat16", lambda: False)
    float32, bfloat16 = inception.measure(Effort(repeats=1), count=1, size=80)
    assert float32.value is not None
    assert (bfloat16.value, bfloat16.met, bfloat16.detail) == (None, None, "CPU has no bf16")
