"""Time and memory of a DMTL step over epochs (they must not grow), modalities and tasks."""

from __future__ import annotations

from dataclasses import replace
from statistics import median
from time import perf_counter

import torch
from torch import Tensor

from benchmarks.problem import Size, Trainer
from benchmarks.timing import Effort, Line, interleaved, times_as_fast

MODALITIES = (2, 6)
TASKS = (1, 64)
EARLY = 10  # step
WINDOW = 5  # steps on both sides of the one that is measured
EPOCH = 5  # steps between two ends of a training cycle
MIB = 2**20


def measure(effort: Effort) -> list[Line]:
    """Measure more modalities of equal widths, and more tasks."""
    size = effort.size
    modalities = [replace(size, dims=(size.dims[-1],) * m) for m in MODALITIES]
    tasks = [replace(size, tasks=f) for f in TASKS]
    return [
        _line("{1} modalities against {0}".format(*MODALITIES), modalities, effort.repeats),
        _line("{1} tasks against {0}".format(*TASKS), tasks, effort.repeats),
    ]


def _line(what: str, sizes: list[Size], repeats: int) -> Line:
    small, large = sizes
    trainers = {"small": Trainer("dmtl", small), "large": Trainer("dmtl", large)}
    times = interleaved({name: trainer.step for name, trainer in trainers.items()}, repeats)
    few, many = (graph_bytes(trainer) / MIB for trainer in trainers.values())
    fast, slow = (1e3 * times[name].median for name in trainers)
    return Line(
        f"a DMTL step with {what}",
        times_as_fast(times["small"], times["large"]),
        None,
        at_least=False,
        detail=f"{slow:.2f} ms against {fast:.2f} ms, {many:.1f} MiB for the backward pass against "
        f"{few:.1f} MiB",
    )


def measure_epochs(effort: Effort) -> list[Line]:
    """Train up to the late step, and measure the steps around it and around an early one."""
    trainer, late = Trainer("dmtl", effort.size), effort.late
    seconds, memory = list[float](), dict[int, int]()
    for step in range(1, late + WINDOW + 1):
        start = perf_counter()
        trainer.step()
        seconds.append(perf_counter() - start)
        if step % EPOCH == 0:
            trainer.method.on_epoch_end()
        if step in (EARLY, late):
            memory[step] = graph_bytes(trainer) + _state_bytes(trainer)
    before, after = (median(seconds[at - 1 - WINDOW : at + WINDOW]) for at in (EARLY, late))
    what = f"of DMTL's step {late} against step {EARLY}"
    times = f"{1e3 * after:.2f} ms against {1e3 * before:.2f} ms"
    sizes = f"{memory[late] / MIB:.2f} MiB against {memory[EARLY] / MIB:.2f} MiB"
    return [
        Line(f"time {what}", after / before, None, at_least=False, detail=times),
        Line(f"memory {what}", memory[late] / memory[EARLY], 1.0, at_least=False, detail=sizes),
    ]


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


def _state_bytes(trainer: Trainer) -> int:
    """Bytes of the method's and the optimiser's state."""
    state = list(trainer.method.state_dict().values())
    for values in trainer.optimizer.state.values():
        state += [value for value in values.values() if isinstance(value, Tensor)]
    return sum(tensor.nbytes for tensor in state)
