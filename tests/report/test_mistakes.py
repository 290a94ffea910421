"""Counts by class, event and pattern, against scikit-learn and by hand."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import confusion_matrix, precision_recall_fscore_support

from pipeline.ground.data_set import data_set
from pipeline.report.material import Material, read_material
from pipeline.report.mistakes import by_event, by_pattern, mistakes_of
from tests.report.project import TASKS, write_project


@pytest.fixture
def material(project: object) -> Material:
    write_project()
    return read_material(data_set("crisismmd"))


@pytest.mark.parametrize("number", range(len(TASKS)))
def test_classes_and_confusion_are_those_of_scikit_learn(material: Material, number: int) -> None:
    task, found = TASKS[number], mistakes_of(material)[number]
    truth, decided = material.truth[task.name][material.test], material.decided(task)[material.test]
    truth, decided = truth[truth >= 0], decided[truth >= 0]
    labels = list(range(len(task.classes)))
    assert found.confusion.tolist() == confusion_matrix(truth, decided, labels=labels).tolist()
    expected = precision_recall_fscore_support(truth, decided, labels=labels, zero_division=np.nan)
    for code, line in enumerate(found.classes):
        given = [line.precision, line.recall, line.f1, line.support]
        assert given == pytest.approx([column[code] for column in expected], nan_ok=True)


def test_bins_hold_every_labelled_row_once(material: Material) -> None:
    for found in mistakes_of(material):
        assert sum(b.count for b in found.bins) == found.confusion.sum()
        gaps = sum(b.count * abs(b.accuracy - b.confidence) for b in found.bins)
        assert gaps / found.confusion.sum() == pytest.approx(found.ece_calibrated)


def test_events_and_patterns_divide_the_test_samples(material: Material) -> None:
    events, patterns = by_event(material), by_pattern(material)
    assert [part.name for part in events] == ["<b>quake</b>", "storm"]
    assert [part.name for part in patterns] == ["text + visual", "none"]
    for parts in (events, patterns):
        assert sum(part.samples for part in parts) == len(material.test)
        for task in TASKS:
            labelled = (material.truth[task.name][material.test] >= 0).sum()
            assert sum(part.labelled[task.name] for part in parts) == labelled
