"""Times of several functions, run in turn, so that the machine's load affects all alike."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from statistics import median
from time import perf_counter

WARM_UP = 3  # first calls allocate memory that later ones reuse


@dataclass(frozen=True)
class Times:
    """Seconds of each repetition of one function."""

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
    """Times of one function against another's, and the highest ratio allowed, if any."""

    name: str
    measured: Times
    reference: Times
    limit: float | None = None

    @property
    def value(self) -> float:
        """Median of the ratios of neighbouring repetitions, which ran under the same load."""
        pairs = zip(self.measured.seconds, self.reference.seconds, strict=True)
        return median(mine / other for mine, other in pairs)

    @property
    def of_minima(self) -> float:
        """Ratio of the two shortest times."""
        return self.measured.minimum / self.reference.minimum

    @property
    def met(self) -> bool | None:
        """Whether the limit holds; None where there is none."""
        return None if self.limit is None else self.value <= self.limit


@dataclass(frozen=True)
class Line:
    """A number against its limit; the number is None if it was not measured."""

    what: str
    value: float | None
    limit: float
    at_least: bool  # else at most
    detail: str = ""  # both times, and how exactly both results agree
    exact: bool = True  # whether they agree as they must

    @property
    def met(self) -> bool | None:
        """Whether limit and agreement hold; None if nothing was measured."""
        if self.value is None:
            return None
        within = self.value >= self.limit if self.at_least else self.value <= self.limit
        return within and self.exact


def against_plain(
    what: str, least: float, ours: Times, plain: Times, agreement: str, exact: bool
) -> Line:
    """Say how many times as fast as a plain implementation ours is, and how they agree."""
    return Line(
        what,
        times_as_fast(ours, plain),
        least,
        at_least=True,
        detail=f"{agreement}; {ours.median:.2f} s against {plain.median:.2f} s",
        exact=exact,
    )


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
