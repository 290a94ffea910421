"""Times of several functions, run in turn, so that the machine's load affects all equally."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from statistics import median
from time import perf_counter

from benchmarks.problem import Size

WARM_UP = 3  # first calls allocate memory that later ones reuse


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
class Times:
    """Seconds of each repetition of one function."""

    seconds: list[float]

    @property
    def median(self) -> float:
        """The time to expect."""
        return median(self.seconds)


@dataclass(frozen=True)
class Line:
    """A number against its limit, if it has one; the number is None if it was not measured."""

    what: str
    value: float | None
    limit: float | None
    at_least: bool  # else at most
    detail: str = ""  # both times, and how exactly both results agree
    exact: bool = True  # whether they agree as they must

    @property
    def met(self) -> bool | None:
        """Whether limit and agreement hold; None without a measurement or a limit."""
        if self.value is None or self.limit is None:
            return None
        within = self.value >= self.limit if self.at_least else self.value <= self.limit
        return within and self.exact


def times_as_fast(measured: Times, reference: Times) -> float:
    """Median over neighbouring repetitions of the reference's time divided by ours."""
    return median(
        other / mine for mine, other in zip(measured.seconds, reference.seconds, strict=True)
    )


def interleaved(
    work: Mapping[str, Callable[[], object]], repeats: int, warm_up: int = WARM_UP
) -> dict[str, Times]:
    """Run each function `repeats` times, in turn."""
    seconds: dict[str, list[float]] = {name: [] for name in work}
    for repeat in range(warm_up + repeats):
        for name, run in work.items():
            start = perf_counter()
            run()
            if repeat >= warm_up:
                seconds[name].append(perf_counter() - start)
    return {name: Times(times) for name, times in seconds.items()}
