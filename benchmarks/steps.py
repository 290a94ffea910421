"""A training step with DMTL against one with LSEW, and against GradNorm's algorithm."""

from __future__ import annotations

from benchmarks.gradnorm import GradNormTrainer
from benchmarks.problem import Size, Trainer
from benchmarks.timing import Ratio, interleaved


def measure(size: Size, repeats: int) -> list[Ratio]:
    """Time steps of equal networks on equal batches."""
    trainers = {
        "dmtl": Trainer("dmtl", size),
        "lsew": Trainer("lsew", size),
        "gradnorm": GradNormTrainer(size),
        "gradnorm, own": GradNormTrainer(size, layer="own"),
    }
    times = interleaved({name: trainer.step for name, trainer in trainers.items()}, repeats)
    return [
        Ratio("DMTL step / LSEW step", times["dmtl"], times["lsew"], 1.10),
        Ratio(
            "DMTL step / GradNorm step, last shared layer", times["dmtl"], times["gradnorm"], 0.9
        ),
        Ratio("DMTL step / GradNorm step, own last layers", times["dmtl"], times["gradnorm, own"]),
    ]
