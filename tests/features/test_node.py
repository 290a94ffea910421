from __future__ import annotations

import os
import socket
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pipeline.features.node import Node

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
