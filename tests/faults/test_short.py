"""Each experiment with few tries: every promise holds."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.experiment import TOPICS, Experiment, experiments

pytestmark = pytest.mark.heavy

SHORT = [
    pytest.param(each, id=f"{topic}: {each.promise}")
    for topic in TOPICS
    for each in experiments(topic)
    if each.short
]


@pytest.mark.parametrize("experiment", SHORT)
def test_every_promise_holds(experiment: Experiment, tmp_path: Path) -> None:
    outcome = experiment.run(experiment.short, tmp_path)
    if not outcome.tried:
        pytest.skip(outcome.figures)
    assert outcome.tried == experiment.short
    assert outcome.held == outcome.tried, outcome.figures
