"""Every part of the benchmarks under the name that `--only` takes, in the order of running."""

from __future__ import annotations

from collections.abc import Callable

from benchmarks import decoding, elmo, extraction, growth, inception, memory, steps
from benchmarks.report import (
    endurance_table,
    growth_table,
    lines_values,
    points_values,
    ratio_table,
    ratios_values,
)
from benchmarks.section import Effort, Found, Section
from benchmarks.timing import Line


def _epochs(effort: Effort) -> Found:
    found = growth.measure_epochs(effort.size, late=effort.late)
    return Found(tables=[endurance_table(found)], values=vars(found))


def _training(effort: Effort) -> Found:
    ratios = steps.measure(effort.size, effort.repeats)
    return Found(tables=[ratio_table(ratios)], values=ratios_values(ratios))


def _growth(effort: Effort) -> Found:
    repeats = max(effort.repeats // 4, 1)
    modalities = growth.measure_modalities(effort.size, repeats)
    tasks = growth.measure_tasks(effort.size, repeats)
    tables = [
        growth_table("Modalities (7 tasks, levels up to three modalities)", modalities),
        growth_table("Tasks (3 modalities)", tasks),
    ]
    return Found(tables=tables, values=points_values(modalities + tasks))


def _lines(measure: Callable[[Effort], list[Line]]) -> Section:
    """Make a part of what gives lines of the common table."""

    def section(effort: Effort) -> Found:
        lines = measure(effort)
        return Found(lines=lines, values=lines_values(lines))

    return section


SECTIONS: dict[str, Section] = {
    # First, while the process' peak is still its own.
    "epochs": _epochs,
    "training": _training,
    "growth": _growth,
    "decoding": _lines(decoding.measure),
    "visual": _lines(inception.measure),
    "text": _lines(elmo.measure),
    "extraction": _lines(extraction.measure),
    "memory": _lines(memory.measure),
}
