"""Times of several pieces of work, taken in turn so that the machine's moods hit all alike."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from statistics import median
from time import perf_counter

WARM_UP = 3  # first calls pay for memory that later ones find


@dataclass(frozen=True)
class Times:
    """Seconds of each repetition of one piece of work."""

    seconds: list[float]

    @property
    def median(self) -> float:
        """The time to expect."""
        return median(self.seconds)

    @property
    def minimum(self) -> float:
        """The time on an idle machine."""
        return min(self.seconds)


@dataclass(frozen=True)
class Ratio:
    """One piece of work against another, and the most that it may cost; no limit: for reading."""

    name: str
    measured: Times
    reference: Times
    limit: float | None = None

    @property
    def value(self) -> float:
        """Median of the ratios of neighbouring repetitions, which saw the same machine."""
        pairs = zip(self.measured.seconds, self.reference.seconds, strict=True)
        return median(mine / other for mine, other in pairs)

    @property
    def of_minima(self) -> float:
        """Ratio of the two shortest times."""
        return self.measured.minimum / self.reference.minimum

    @property
    def kept(self) -> bool | None:
        """Whether the limit holds; None where there is none."""
        return None if self.limit is None else self.value <= self.limit


def interleaved(work: Mapping[str, Callable[[], object]], repeats: int) -> dict[str, Times]:
    """Run each piece of work `repeats` times, one after the other in turn."""
    seconds: dict[str, list[float]] = {name: [] for name in work}
    for repeat in range(WARM_UP + repeats):
        for name, run in work.items():
            start = perf_counter()
            run()
            if repeat >= WARM_UP:
                seconds[name].append(perf_counter() - start)
    return {name: Times(times) for name, times in seconds.items()}
