"""What every part of the benchmarks takes and gives, so that the command needs to know no part."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from rich.table import Table

from benchmarks.problem import Size
from benchmarks.timing import Line


@dataclass(frozen=True)
class Effort:
    """How long to measure: timed repetitions of short work, the late step of the long run."""

    repeats: int = 40
    late: int = 200
    size: Size = field(default_factory=Size)

    @property
    def of_seconds(self) -> int:
        """Repetitions of work that takes seconds."""
        return max(self.repeats // 8, 1)


@dataclass(frozen=True)
class Found:
    """What a part found: lines for the common table, tables of its own, all values for programs."""

    lines: list[Line] = field(default_factory=list)
    tables: list[Table] = field(default_factory=list)
    values: dict[str, Any] = field(default_factory=dict)


Section = Callable[[Effort], Found]
