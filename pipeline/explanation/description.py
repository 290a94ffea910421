"""An explanation as lines for a terminal, or as a row of a table beside the predictions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pandas as pd

from pipeline.explanation.explain import Explanation
from pipeline.explanation.occlusion import GRID
from pipeline.mtl import Task

TOP = 5  # words and steps that are shown
BAR = 20  # characters of a bar for 1
SEPARATOR = "; "

NOTES = {
    "modalities": "Shapley values: without any input plus these is the probability. They are "
    "relative to the network without any input, which is no neutral post.",
    "words": "fall of the probability without the word. Words that repeat each other all seem to "
    "matter little, and a text with a gap may read like no other.",
    "steps": "fall of the probability without the step (or all steps of a second), and its "
    "attention. Attention is no cause; steps that repeat each other all seem to matter little.",
    "regions": f"fall of the probability with a {GRID}th of each side in grey. What shows in "
    "several regions seems to matter little, and grey is something to see.",
    "fusion": "what the fusion weighs. No cause: what follows may ignore what weighs much.",
}


def describe(
    explanation: Explanation, confidences: Mapping[str, float], task: str | None = None
) -> Iterator[str]:
    """Yield the lines of an explanation, of all tasks or of one; a note on each part follows.

    `confidences` are the calibrated probabilities of the decisions, by task.
    """
    chosen = [each for each in explanation.tasks if task in (None, each.name)]
    for each in chosen:
        yield from _task(explanation, each, confidences[each.name])
    yield from _vertices(explanation, {None, *(each.name for each in chosen)})
    yield ""
    yield from (f"{part}: {NOTES[part]}" for part in _parts(explanation))


def _parts(explanation: Explanation) -> list[str]:
    """Return the parts that this explanation has, as in `NOTES`."""
    parts = {
        "modalities": True,
        "words": bool(explanation.words),
        "steps": bool(explanation.steps),
        "regions": bool(explanation.regions),
        "fusion": not explanation.vertices.empty,
    }
    return [part for part, present in parts.items() if present]


def _task(explanation: Explanation, task: Task, confidence: float) -> Iterator[str]:
    name = task.name
    decided, probability = task.classes[explanation.classes[name]], explanation.probability[name]
    yield f"{name}: {decided} (probability {probability:.3f}, confidence {confidence:.3f})"
    yield "  modalities"
    yield f"    {explanation.nothing[name]:+.3f} without any input"
    for modality in explanation.present:
        yield f"    {_signed(explanation.shapley[name][modality])} {modality}"
    yield from _words(explanation, name)
    for modality, drops in explanation.steps.items():
        yield from _steps(explanation, name, modality, drops[name])
        if modality in explanation.spans:
            seconds, of_tasks = explanation.spans[modality]
            yield f"  seconds of {modality}"
            yield from _spans(seconds, of_tasks[name])
    for photo, grids in enumerate(explanation.regions, start=1):
        yield f"  regions of photo {photo}"
        for row in grids[name]:
            yield "    " + " ".join(f"{drop:+.3f}" for drop in row)
    yield ""


def _words(explanation: Explanation, task: str) -> Iterator[str]:
    drops = explanation.word_drops[task]
    if not len(drops):
        return
    yield "  words"
    for place in _strongest(drops):
        yield f"    {_signed(drops[place])} {explanation.words[place]}"


def _steps(explanation: Explanation, task: str, modality: str, drops: np.ndarray) -> Iterator[str]:
    attention, seconds = _attention(explanation, task, modality), explanation.seconds.get(modality)
    yield f"  steps of {modality}"
    shown = _strongest(drops)
    if attention is not None:
        shown += [step for step in _strongest(attention) if step not in shown]
    for step in sorted(shown):
        when = _step_name(step, seconds)
        weight = "" if attention is None else f", attention {attention[step]:.3f}"
        yield f"    {_signed(drops[step])} {when}{weight}"


def _spans(seconds: np.ndarray, drops: np.ndarray) -> Iterator[str]:
    for place in sorted(_strongest(drops)):
        yield f"    {_signed(drops[place])} {seconds[place]} s to {seconds[place] + 1} s"


def _attention(explanation: Explanation, task: str, modality: str) -> np.ndarray | None:
    """Return the attention of the network of this task, or of the one that all tasks share."""
    table = explanation.attention
    own = table["task"].isna() | (table["task"] == task)
    weights = table[own & (table["modality"] == modality)]["weight"]
    return None if weights.empty else weights.to_numpy(float)


def _vertices(explanation: Explanation, tasks: set[str | None]) -> Iterator[str]:
    table = explanation.vertices
    if table.empty:
        return
    yield "fusion"
    for row in table.to_dict("records"):
        task = None if pd.isna(row["task"]) else str(row["task"])
        if task in tasks:
            level = str(row["level"])
            if not pd.isna(row["similarity"]):
                level += f", similarity {row['similarity']:.3f}"
            of = f" of {task}" if task else ""
            yield f"  {row['weight']:+.3f} {row['vertex']} ({level}){of}"


def _step_name(step: int, seconds: np.ndarray | None) -> str:
    """Name a step by its second, or by its number from 1 if it has no time."""
    return f"step {step + 1}" if seconds is None else f"{seconds[step]:.1f} s"


def _strongest(values: np.ndarray) -> list[int]:
    """Return the places of the five values that are furthest from 0, the furthest first."""
    places: list[int] = np.argsort(-np.abs(values), kind="stable")[:TOP].tolist()
    return places


def _signed(value: float) -> str:
    """Write a number with a bar of + or - beside it."""
    length = min(BAR, round(abs(value) * BAR))
    return f"{value:+.3f} {('+' if value > 0 else '-') * length:<{BAR}}"


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
        row[f"{name}.steps"] = _listed(*_named_steps(explanation, name))
        row[f"{name}.regions"] = _listed(*_named_regions(explanation, name))
    return row


def _named_steps(explanation: Explanation, task: str) -> tuple[list[str], np.ndarray]:
    """Return the name and the drop of each step of all sequences."""
    names, drops = list[str](), [np.zeros(0)]
    for modality, of_tasks in explanation.steps.items():
        seconds = explanation.seconds.get(modality)
        drops.append(of_tasks[task])
        names += [f"{modality} {_step_name(step, seconds)}" for step in range(len(drops[-1]))]
    return names, np.concatenate(drops)


def _named_regions(explanation: Explanation, task: str) -> tuple[list[str], np.ndarray]:
    """Return the name and the drop of each region of all photos."""
    names, drops = list[str](), [np.zeros(0)]
    for photo, grids in enumerate(explanation.regions, start=1):
        drops.append(grids[task].ravel())
        places = (divmod(place, GRID) for place in range(GRID * GRID))
        names += [f"photo {photo} row {r + 1} column {c + 1}" for r, c in places]
    return names, np.concatenate(drops)


def _listed(names: Sequence[str], drops: np.ndarray) -> str:
    return SEPARATOR.join(f"{names[place]} {drops[place]:+.3f}" for place in _strongest(drops))
