"""A model card: no test sample is left out of a table silently."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from pipeline.evaluation.calibration import calibration_scores
from pipeline.evaluation.evaluate import split_scores
from pipeline.evaluation.model_card import Card, write_card
from pipeline.evaluation.model_folder import Decision, Decisions
from pipeline.mtl import Task
from pipeline.training.examples import Examples
from tests.training.conftest import make_spec

VICTIM = Task("victim", ("absent", "present"), head="sigmoid")
TRUTH, PRESENT = np.array([1, 0, 1, -1, 0, 1]), np.array([0.9, 0.1, 0.4, 0.8, 0.7, 0.6])


def card(tmp_path: Path, events: list[str | None]) -> list[str]:
    """Write a card of six test samples of these events; returns its lines."""
    rows = len(TRUTH)
    ids, vectors = [str(k) for k in range(rows)], [np.ones((1, 2), np.float32)] * rows
    examples = Examples(ids, np.full(rows, "test"), {"text": vectors}, {"victim": TRUTH})
    probabilities = {"victim": np.stack([1 - PRESENT, PRESENT], axis=1)}
    decisions = Decisions(
        model="", unsure_below=0.6, tasks={"victim": Decision(threshold=0.5, temperature=1.0)}
    )
    scores = split_scores([VICTIM], examples, probabilities, decisions.thresholds)
    scores["victim"] |= calibration_scores(TRUTH, probabilities["victim"], 1.0)
    provenance = {"source": "posts", "licence": None, "counts": {"samples": {"test": rows}}}
    spec = make_spec({"text": 2}, tasks=(VICTIM,))
    index = pd.DataFrame({"event": pd.array(events, "string"), "group": ids})
    made = Card(
        name="mine",
        spec=spec,
        files={},
        index=index,
        split="grouped",
        examples=examples,
        probabilities=probabilities,
        decisions=decisions,
        scores=scores,
        baselines={},
        provenance=provenance,
    )
    write_card(tmp_path, made)
    return (tmp_path / "README.md").read_text().splitlines()


def test_samples_without_an_event_have_a_row_of_their_own(tmp_path: Path) -> None:
    lines = card(tmp_path, ["storm", None, "storm", None, "fire", "storm"])
    start = lines.index("## Per event")
    rows = [line for line in lines[start : start + 9] if line.startswith("| ")]
    assert rows == [
        "| accuracy on test | victim |",
        "| fire | 0.000 of 1 |",
        "| storm | 0.667 of 3 |",
        "| (no event) | 1.000 of 1 |",
    ]


def test_data_without_events_say_so(tmp_path: Path) -> None:
    assert "The data name no event." in card(tmp_path, [None] * 6)
