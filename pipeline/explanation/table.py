"""An explanation as a row of a table, beside the predictions."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from pipeline.explanation.description import step_name, strongest
from pipeline.explanation.explain import Explanation
from pipeline.explanation.occlusion import GRID

SEPARATOR = "; "


def explanation_row(explanation: Explanation) -> dict[str, float | str]:
    """Return the columns that explain each task's decided class; the same for every post.

    `<task>.shapley.nothing` and `<task>.shapley.<modality>` add up to its probability.
    `<task>.words`, `<task>.steps` and `<task>.regions` (row and column from the top left) are the
    five whose removal changes it most, each with its drop, as in `flood +0.120; in -0.031`.
    """
    row: dict[str, float | str] = {}
    for task in explanation.tasks:
        name = task.name
        row[f"{name}.shapley.nothing"] = explanation.nothing[name]
        for modality, share in explanation.shapley[name].items():
            row[f"{name}.shapley.{modality}"] = share
        row[f"{name}.words"] = _listed(explanation.words, explanation.word_drops[name])
        row[f"{name}.steps"] = _listed(*_steps(explanation, name))
        row[f"{name}.regions"] = _listed(*_regions(explanation, name))
    return row


def _steps(explanation: Explanation, task: str) -> tuple[list[str], np.ndarray]:
    names, drops = list[str](), [np.zeros(0)]
    for modality, of_tasks in explanation.steps.items():
        seconds = explanation.seconds.get(modality)
        drops.append(of_tasks[task])
        names += [f"{modality} {step_name(step, seconds)}" for step in range(len(drops[-1]))]
    return names, np.concatenate(drops)


def _regions(explanation: Explanation, task: str) -> tuple[list[str], np.ndarray]:
    names, drops = list[str](), [np.zeros(0)]
    for photo, grids in enumerate(explanation.regions, start=1):
        drops.append(grids[task].ravel())
        places = (divmod(place, GRID) for place in range(GRID * GRID))
        names += [f"photo {photo} row {r + 1} column {c + 1}" for r, c in places]
    return names, np.concatenate(drops)


def _listed(names: Iterable[str], drops: np.ndarray) -> str:
    names = list(names)
    return SEPARATOR.join(f"{names[place]} {drops[place]:+.3f}" for place in strongest(drops))
