"""Input and output of every section of the benchmarks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from rich.table import Table

from benchmarks.problem import Size
from benchmarks.timing import Line


@dataclass(frozen=True)
class Effort:
    """Repetitions of short work, the late step of the long run, and the size of the problem."""

    repeats: int = 40
    late: int = 200
    size: Size = field(default_factory=Size)

    @property
    def of_seconds(self) -> int:
        """Repetitions of work that takes seconds."""
        return max(self.repeats // 8, 1)


@dataclass(frozen=True)
class Measurement:
    """A section's result: lines for the common table, tables of its own, all values for JSON."""

    lines: list[Line] = field(default_factory=list)
    tables: list[Table] = field(default_factory=list)
    values: dict[str, Any] = field(default_factory=dict)


def cpu_has_bfloat16() -> bool:
    """Return whether this processor multiplies bfloat16 in hardware; on others it is slow."""
    features = torch.cpu.get_capabilities()
    return any(features.get(name, False) for name in ("avx512_bf16", "amx_bf16"))


Section = Callable[[Effort], Measurement]
