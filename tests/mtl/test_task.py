from __future__ import annotations

import pytest

from pipeline.mtl import Task, build_mtl


def test_sigmoid_has_one_logit_and_its_second_class_is_positive():
    task = Task("damage", ("no", "yes"), negative="no", head="sigmoid")
    assert (task.outputs, task.binary, task.positive) == (1, True, 1)


def test_softmax_has_one_logit_a_class():
    task = Task("kind", ("none", "flood", "fire"))
    assert (task.outputs, task.binary, task.positive) == (3, False, None)


@pytest.mark.parametrize(("negative", "positive"), [(None, 1), ("a", 1), ("b", 0)])
def test_positive_of_a_binary_softmax_is_the_class_that_is_not_negative(negative, positive):
    task = Task("t", ("a", "b"), negative=negative)
    assert (task.outputs, task.positive) == (2, positive)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"name": "", "classes": ("a", "b")}, "empty name"),
        ({"name": "t", "classes": ("a",)}, "'t'.*at least two"),
        ({"name": "t", "classes": ("a", "a")}, "'t'.*name of its own"),
        ({"name": "t", "classes": ("a", "")}, "'t'.*name of its own"),
        ({"name": "t", "classes": ("a", "b"), "negative": "c"}, "'t'.*'c'"),
        ({"name": "t", "classes": ("a", "b", "c"), "head": "sigmoid"}, "'t'.*two classes"),
        (
            {"name": "t", "classes": ("a", "b"), "negative": "b", "head": "sigmoid"},
            "'t'.*negative class first",
        ),
    ],
)
def test_a_contradictory_declaration_names_the_task(arguments, message):
    with pytest.raises(ValueError, match=message):
        Task(**arguments)


def test_tasks_must_exist_and_differ():
    task = Task("t", ("a", "b"))
    with pytest.raises(ValueError, match="at least one task"):
        build_mtl("lsew", [])
    with pytest.raises(ValueError, match="repeated: t"):
        build_mtl("lsew", [task, task])
