"""Time and memory of a DMTL step over epochs (they must not grow), modalities and tasks."""

from __future__ import annotations

import resource
import sys
from dataclasses import dataclass
from statistics import median
from time import perf_counter

import torch
from torch import Tensor

from benchmarks.problem import Size, Trainer
from benchmarks.timing import Times, interleaved

MODALITIES = (2, 3, 4, 5, 6)
TASKS = (1, 4, 16, 64)
EPOCH = 5  # steps between two ends of a training cycle


@dataclass(frozen=True)
class Point:
    """One size of the problem: a step's time, the bytes of its graph, and the parameters."""

    name: str
    time: Times
    graph_bytes: int
    parameters: int


@dataclass(frozen=True)
class Endurance:
    """Around step `early` and step `late`: seconds per step, bytes stored, the process' peak."""

    early: int
    late: int
    seconds: tuple[float, float]
    graph_bytes: tuple[int, int]
    state_bytes: tuple[int, int]
    peak_bytes: tuple[int, int]


def graph_bytes(trainer: Trainer) -> int:
    """Count the bytes that one forward pass stores for the backward pass, each tensor once."""
    stored: dict[int, int] = {}
    alive: list[Tensor] = []  # so that no address is used twice

    def keep(tensor: Tensor) -> Tensor:
        alive.append(tensor)
        storage = tensor.untyped_storage()
        stored[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        trainer.method.objective(trainer.predictions(), trainer.targets)
    owned = {p.untyped_storage().data_ptr() for p in trainer.network.parameters()}
    return sum(size for address, size in stored.items() if address not in owned)


def measure_modalities(size: Size, repeats: int) -> list[Point]:
    """Measure a growing M with equal widths; levels end at three modalities, as by default."""
    sizes = {
        f"M = {m}": Size((size.dims[-1],) * m, size.tasks, size.batch, size.width)
        for m in MODALITIES
    }
    return _points(sizes, repeats)


def measure_tasks(size: Size, repeats: int) -> list[Point]:
    """Measure a growing F."""
    sizes = {f"F = {f}": Size(size.dims, f, size.batch, size.width) for f in TASKS}
    return _points(sizes, repeats)


def _points(sizes: dict[str, Size], repeats: int) -> list[Point]:
    trainers = {name: Trainer("dmtl", size) for name, size in sizes.items()}
    times = interleaved({name: trainer.step for name, trainer in trainers.items()}, repeats)
    return [
        Point(
            name,
            times[name],
            graph_bytes(trainer),
            sum(p.numel() for p in trainer.network.parameters()),
        )
        for name, trainer in trainers.items()
    ]


def measure_epochs(size: Size, early: int = 10, late: int = 200) -> Endurance:
    """Train up to `late`, and measure the steps around `early` and `late`."""
    trainer = Trainer("dmtl", size)
    window = min(early // 2, 5)
    seconds, memory = [], []
    for step in range(1, late + window + 1):
        start = perf_counter()
        trainer.step()
        seconds.append(perf_counter() - start)
        if step % EPOCH == 0:
            trainer.method.on_epoch_end()
        if step in (early, late):
            memory.append((graph_bytes(trainer), _state_bytes(trainer), _peak_bytes()))
    around = [median(seconds[at - 1 - window : at + window]) for at in (early, late)]
    graph, state, peak = zip(*memory, strict=True)
    return Endurance(early, late, (around[0], around[1]), graph, state, peak)


def _state_bytes(trainer: Trainer) -> int:
    """Bytes of the method's and the optimiser's state."""
    state = list(trainer.method.state_dict().values())
    for values in trainer.optimizer.state.values():
        state += [value for value in values.values() if isinstance(value, Tensor)]
    return sum(tensor.nbytes for tensor in state)


def _peak_bytes() -> int:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else 1024 * peak
