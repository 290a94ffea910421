"""Every section of the benchmarks by its name for `--only`, in the order of running."""

from __future__ import annotations

from collections.abc import Callable

from benchmarks import (
    decoding,
    duplicates,
    elmo,
    extraction,
    growth,
    inception,
    memory,
    predicting,
    steps,
    streaming,
    text_tower,
    vision,
)
from benchmarks.report import (
    endurance_table,
    growth_table,
    lines_values,
    points_values,
    ratio_table,
    ratios_values,
)
from benchmarks.section import Effort, Measurement, Section
from benchmarks.timing import Line


def _epochs(effort: Effort) -> Measurement:
    measured = growth.measure_epochs(effort.size, late=effort.late)
    return Measurement(tables=[endurance_table(measured)], values=vars(measured))


def _training(effort: Effort) -> Measurement:
    ratios = steps.measure(effort.size, effort.repeats)
    return Measurement(tables=[ratio_table(ratios)], values=ratios_values(ratios))


def _growth(effort: Effort) -> Measurement:
    repeats = max(effort.repeats // 4, 1)
    modalities = growth.measure_modalities(effort.size, repeats)
    tasks = growth.measure_tasks(effort.size, repeats)
    tables = [
        growth_table("Modalities (7 tasks, levels up to three modalities)", modalities),
        growth_table("Tasks (3 modalities)", tasks),
    ]
    return Measurement(tables=tables, values=points_values(modalities + tasks))


def _lines(measure: Callable[[Effort], list[Line]]) -> Section:
    """Make a section of a function that returns lines of the common table."""

    def section(effort: Effort) -> Measurement:
        lines = measure(effort)
        return Measurement(lines=lines, values=lines_values(lines))

    return section


SECTIONS: dict[str, Section] = {
    # First: the process' peak must not include that of other sections.
    "epochs": _epochs,
    "training": _training,
    "growth": _growth,
    "duplicates": _lines(duplicates.measure),
    "decoding": _lines(decoding.measure),
    "visual": _lines(inception.measure),
    "text": _lines(lambda effort: [*elmo.measure(effort), *text_tower.measure(effort)]),
    "vision": _lines(vision.measure),
    "extraction": _lines(extraction.measure),
    "memory": _lines(memory.measure),
    "streaming": _lines(streaming.measure),
    "predict": _lines(predicting.measure),
}
