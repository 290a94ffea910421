"""Each experiment with few tries: every promise holds."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.__main__ import page
from tests.faults.experiment import Experiment, Outcome, experiments

SHORT = [
    pytest.param(each, id=f"{topic}: {each.promise}")
    for topic, listed in experiments().items()
    for each in listed
    if each.short
]


@pytest.mark.slow
@pytest.mark.parametrize("experiment", SHORT)
def test_every_promise_holds(experiment: Experiment, tmp_path: Path) -> None:
    outcome = experiment.run(experiment.short, tmp_path)
    if not outcome.tried:
        pytest.skip(outcome.figures)
    assert outcome.tried == experiment.short
    assert outcome.held == outcome.tried, outcome.figures


def test_the_page_has_a_row_for_each_promise() -> None:
    experiment = Experiment("nothing is lost", 1, 9, lambda tries, folder: Outcome(tries, tries))
    text = page({"full_disk": [(experiment, Outcome(9, 8, "1 | 2 s"))]})
    assert "\n## Full disk\n" in text
    assert "\n| nothing is lost | 9 | 8 | 1 / 2 s |\n" in text


def test_an_unknown_topic_is_an_error_that_lists_the_known() -> None:
    with pytest.raises(ValueError, match="unknown topic 'fire'; allowed: "):
        experiments(["fire"])
