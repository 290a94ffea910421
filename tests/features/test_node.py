from __future__ import annotations

import os
import socket
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pipeline.features.node import Node, require_gpu

Fake = Callable[..., Any]


@pytest.fixture(autouse=True)
def _come_back(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setenv("HGFN_DEVICE", "cpu")


def test_a_node_works_in_the_drivers_folder_with_its_modules_and_device(
    fake: Fake, tmp_path: Path
) -> None:
    (tmp_path / "project").mkdir()
    there = replace(
        Node.here(fake()), folder=tmp_path / "project", modules=("/elsewhere",), device="cuda"
    )
    there.enter()
    assert Path.cwd() == tmp_path / "project"
    assert sys.path[-1] == "/elsewhere"
    assert os.environ["HGFN_DEVICE"] == "cuda"


def test_a_node_without_the_projects_folder_is_named(fake: Fake) -> None:
    with pytest.raises(ValueError, match=r"has no /nowhere \(No such file or directory\)") as told:
        replace(Node.here(fake()), folder=Path("/nowhere")).enter()
    assert socket.gethostname() in str(told.value)


def test_the_same_code_weights_and_libraries_pass(fake: Fake) -> None:
    Node.here(fake()).require_same(fake())


def test_other_code_weights_or_libraries_are_refused_by_name(fake: Fake) -> None:
    here = Node.here(fake())
    with pytest.raises(ValueError, match=r"has other code or weights: scale 2, not 1$"):
        here.require_same(fake(scale=2))
    older = replace(here, libraries={**here.libraries, "torch": "1.0"})
    with pytest.raises(ValueError, match=r"has other libraries: torch \d.*, not 1\.0$"):
        older.require_same(fake())


def test_another_kind_of_processor_is_refused_in_one_line_with_the_cure(fake: Fake) -> None:
    here = Node.here(fake())
    other = {**here.processor, "maker": "AuthenticAMD", "avx512_new": "there"}
    with pytest.raises(ValueError, match="has another processor") as told:
        replace(here, processor=other).require_same(fake())
    maker = here.processor["maker"]
    assert str(told.value) == (
        f"node {socket.gethostname()} has another processor: avx512_new missing, not there, "
        f"maker {maker}, not AuthenticAMD; start Ray on nodes of one kind only"
    )


def test_another_kind_of_gpu_is_refused_in_one_line_with_the_cure() -> None:
    require_gpu("NVIDIA H100", "NVIDIA H100")
    with pytest.raises(ValueError, match="has another GPU") as told:
        require_gpu("NVIDIA A100", "NVIDIA H100")
    assert str(told.value) == (
        f"node {socket.gethostname()} has another GPU: NVIDIA A100, not NVIDIA H100; "
        "start Ray on nodes of one kind only"
    )


def test_of_many_differences_the_first_are_told(fake: Fake) -> None:
    here = Node.here(fake())
    many = {**here.processor, **{f"avx512_{k}": "there" for k in range(9)}}
    with pytest.raises(ValueError, match=r"avx512_3 missing, not there, and 5 more; start Ray on"):
        replace(here, processor=many).require_same(fake())


def test_an_error_keeps_its_kind_and_notes_and_gets_its_node(fake: Fake) -> None:
    here = Node.here(fake())
    for asking, notes in (
        (here, ["while a was read"]),
        (replace(here, name="head"), ["while a was read", f"on node {socket.gethostname()}"]),
    ):
        error = OSError(5, "Input/output error")
        error.add_note("while a was read")
        with pytest.raises(OSError, match="Input") as found, asking.noted():
            raise error
        assert found.value is error
        assert error.__notes__ == notes
