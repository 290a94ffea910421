"""Ready-made features in an .npz: what is read, and what is refused without running it."""

from __future__ import annotations

import pickle
import re
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.evaluation.comparison.subject import Subject, read_subject

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write a good file of six rows with some arrays replaced, added or (None) left out."""

    def make(**changes: Any) -> Path:
        arrays: dict[str, Any] = {
            "view_b": np.arange(12.0).reshape(6, 2),
            "view_a": np.ones((6, 3), np.int16),
            "Y": np.array([[1, 0], [0, 1], [1, -1], [0, 0], [1, 1], [0, 1]], np.int8),
        }
        arrays = {k: v for k, v in (arrays | changes).items() if v is not None}
        np.savez(tmp_path / "views.npz", **arrays)
        return tmp_path / "views.npz"

    return make


def message(path: Path) -> str:
    with pytest.raises(ValueError, match=re.escape(str(path))) as caught:
        read_subject(str(path))
    text = str(caught.value)
    assert "\n" not in text
    return text.removeprefix(f"{path}: ")


def labels(subject: Subject) -> list[list[int]]:
    return np.stack(list(subject.problem.examples.targets.values()), axis=1).tolist()


def test_a_good_file_is_read_as_it_is(write: Write) -> None:
    subject = read_subject(str(write()))
    views = subject.problem.examples.sequences
    assert list(views) == ["a", "b"]
    assert np.stack(list(views["b"])).tolist() == np.arange(12.0).reshape(6, 1, 2).tolist()
    assert {row.dtype for rows in views.values() for row in rows} == {np.dtype(np.float32)}
    assert labels(subject) == [[1, 0], [0, 1], [1, -1], [0, 0], [1, 1], [0, 1]]
    assert [task.name for task in subject.problem.tasks] == ["label_0", "label_1"]
    assert subject.groups.tolist() == list(range(6))
    assert subject.split is None


def test_names_groups_and_split_are_taken(write: Write) -> None:
    split = np.array(["train"] * 4 + ["val", "test"])
    groups = np.array(["x", "x", "y", "z", "u", "v"])
    names = np.array(["fire", "flood"])
    subject = read_subject(str(write(labels=names, groups=groups, split=split)))
    assert [task.name for task in subject.problem.tasks] == ["fire", "flood"]
    assert subject.groups.tolist() == groups.tolist()
    assert subject.split is not None
    assert subject.split.tolist() == subject.problem.examples.split.tolist() == split.tolist()


@pytest.mark.parametrize("dtype", [np.bool_, np.uint8, np.int64, np.float32, np.float16])
def test_labels_and_views_of_every_number_type_are_read(write: Write, dtype: type) -> None:
    Y = np.array([[1, 0], [0, 1]] * 3).astype(dtype)
    subject = read_subject(str(write(Y=Y, view_a=np.ones((6, 3), dtype))))
    assert labels(subject) == [[1, 0], [0, 1]] * 3


def test_one_missing_number_makes_the_row_absent_in_that_view_alone(write: Write) -> None:
    values = np.arange(12.0).reshape(6, 2)
    values[3, 1] = np.nan
    examples = read_subject(str(write(view_b=values))).problem.examples
    assert examples.present("b").tolist() == [True] * 3 + [False] + [True] * 2
    assert examples.present("a").all()


FAULTS: list[tuple[dict[str, Any], str]] = [
    ({"view_a": np.ones((5, 3))}, "view_a has 5 rows, Y has 6"),
    ({"groups": np.arange(7)}, "groups has 7 rows, Y has 6"),
    (
        {"view_a": np.full((6, 3), "x")},
        "view_a has shape (6, 3) and dtype <U1; expected [n, d] of numbers",
    ),
    (
        {"view_a": np.ones((6, 0))},
        "view_a has shape (6, 0) and dtype float64; expected [n, d] of numbers",
    ),
    (
        {"Y": np.ones(6)},
        "Y has shape (6,) and dtype float64; expected [n, labels] of 1, 0, and -1 for unknown",
    ),
    ({"Y": None}, "Y and at least one view_<name> are needed; there are: view_a, view_b"),
    ({"view_a": None, "view_b": None}, "Y and at least one view_<name> are needed; there are: Y"),
    ({"Y": np.array([[0]] * 4 + [[2], [3]])}, "Y has 2 in row 4; allowed: 1, 0, -1 (unknown)"),
    ({"Y": np.full((6, 1), np.nan)}, "Y has nan in row 0; allowed: 1, 0, -1 (unknown)"),
    *(
        ({"labels": np.array(names)}, "labels must be 2 different names, one per column of Y")
        for names in (["same", "same"], ["one"], ["one", ""])
    ),
    (
        {"groups": np.array([0.0, np.nan] * 3)},
        "groups has shape (6,) and dtype float64; expected [n] of whole numbers or text",
    ),
    ({"split": np.array(["train", "dev"] * 3)}, "split has 'dev'; allowed: train, val, test"),
    ({"features": np.ones((6, 2))}, "array 'features' is not known; name a view view_<name>"),
    ({"view_": np.ones((6, 2))}, "array 'view_' is not known; name a view view_<name>"),
]


@pytest.mark.parametrize(("changes", "expected"), FAULTS, ids=[expected for _, expected in FAULTS])
def test_each_fault_is_one_line(write: Write, changes: dict[str, Any], expected: str) -> None:
    assert message(write(**changes)) == expected


@pytest.mark.parametrize("name", ["\x1b[2J", "a|b", "$x$", "a\nb", "a\u202eb", "é" * 31])
def test_a_name_is_neither_an_escape_nor_markup(write: Write, name: str) -> None:
    for changes in ({"labels": np.array([name, "b"])}, {f"view_{name}": np.ones((6, 2))}):
        assert "is not a valid name of a view or label; allowed" in message(write(**changes))


@pytest.mark.parametrize("value", [np.inf, -np.inf, 1e300])
def test_what_is_infinite_as_float32_is_refused_with_its_row(write: Write, value: float) -> None:
    values = np.ones((6, 2))
    # Beside a NaN, too: an absent row must not hide it.
    values[4] = [np.nan, value]
    assert message(write(view_a=values)) == (
        "view_a has an infinite value in row 4; write NaN for an absent row"
    )


class _Payload:
    """Unpickled, it writes a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.write_text, (self.path, "it ran")


@pytest.mark.parametrize("name", ["view_a", "Y", "labels", "groups", "split"])
def test_an_object_array_is_refused_and_its_payload_never_runs(
    write: Write, tmp_path: Path, name: str
) -> None:
    trap = tmp_path / "trap"
    array = np.array([_Payload(trap)] * 6, dtype=object)
    path = write(**{name: array})
    assert message(path) == (
        f"{name} cannot be read: Object arrays cannot be loaded when allow_pickle=False"
    )
    assert not trap.exists()
    # The trap works: it is numpy's flag alone that it waits for.
    with np.load(path, allow_pickle=True) as archive:
        archive[name]
    assert trap.exists()


@pytest.mark.parametrize("member", ["view_a", "view_a.npy"])
def test_a_pickle_in_the_place_of_an_array_never_runs(
    write: Write, tmp_path: Path, member: str
) -> None:
    trap, path = tmp_path / "trap", write(view_a=None)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(member, pickle.dumps(_Payload(trap)))
    assert message(path) == "view_a is not a numpy array; write the file with numpy.savez"
    assert not trap.exists()


def test_what_is_no_file_empty_or_no_zip_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "views.npz"
    assert message(path) == "no such file"
    np.save(tmp_path / "one.npy", np.ones(3))
    trap = tmp_path / "trap"
    for wrong in (
        b"",
        b"a,b\n1,2\n",
        (tmp_path / "one.npy").read_bytes(),
        pickle.dumps(_Payload(trap)),
    ):
        path.write_bytes(wrong)
        assert message(path) == "not an .npz (a zip of arrays); write it with numpy.savez"
    assert not trap.exists()


def test_damage_anywhere_is_one_line(write: Write) -> None:
    path = write()
    whole = path.read_bytes()
    rng = np.random.default_rng(0)
    lines = []
    for place in rng.integers(0, len(whole), 300):
        damaged = bytearray(whole)
        damaged[place] ^= 1 << int(rng.integers(8))
        path.write_bytes(damaged)
        try:
            read_subject(str(path))  # padding, dates and the like do not matter
        except ValueError as error:
            lines.append(str(error))
    assert len(lines) > 100
    assert all(line.startswith(f"{path}: ") and "\n" not in line for line in lines)
