from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import replace
from importlib.metadata import PackageNotFoundError
from pathlib import Path
from typing import Any

import pytest

from pipeline.features import ray_engine
from pipeline.features.ray_engine import Driver, facts

Fake = Callable[..., Any]
ONE_KIND = "; use nodes of one kind only"


@pytest.fixture(autouse=True)
def _restore(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setenv("HGFN_DEVICE", "cpu")


def test_a_worker_has_the_drivers_folder_modules_and_device(fake: Fake, tmp_path: Path) -> None:
    (tmp_path / "project").mkdir()
    driver = replace(
        Driver.here(fake(), None),
        folder=tmp_path / "project",
        modules=("/elsewhere",),
        device="cuda",
    )
    driver.imitate()
    assert Path.cwd() == tmp_path / "project"
    assert sys.path[-1] == "/elsewhere"
    assert os.environ["HGFN_DEVICE"] == "cuda"


def test_a_node_without_the_projects_folder_is_refused(fake: Fake) -> None:
    with pytest.raises(ValueError, match=r"no /nowhere \(No such file or directory\): every node"):
        replace(Driver.here(fake(), None), folder=Path("/nowhere")).imitate()


def test_a_node_with_the_same_facts_is_accepted(fake: Fake) -> None:
    here = facts(fake(), "H100")
    Driver.here(fake(), "H100").require_same(here)
    assert here["processor"]["vector code"]
    assert here["processor"]["model"]


@pytest.mark.parametrize(
    ("what", "name", "value"),
    [
        ("code or weights", "scale", 2),
        ("libraries", "torch", "1.0"),
        ("libraries", "transformers", "not installed"),
        ("processor", "model", "another model"),
        ("processor", "GPU", "NVIDIA A100"),
    ],
)
def test_a_node_that_differs_is_refused_in_one_line(
    fake: Fake, what: str, name: str, value: object
) -> None:
    driver = Driver.here(fake(), "NVIDIA H100")
    here = {**driver.facts, what: {**driver.facts[what], name: value}}
    with pytest.raises(ValueError, match=r"^other") as caught:
        driver.require_same(here)
    assert str(caught.value) == (
        f"other {what}: {name} {value}, not {driver.facts[what][name]}{ONE_KIND}"
    )


def test_a_library_that_is_optional_may_be_missing(
    fake: Fake, monkeypatch: pytest.MonkeyPatch
) -> None:
    def version(name: str) -> str:
        if name in ("transformers", "torchaudio"):
            raise PackageNotFoundError
        return "1.0"

    monkeypatch.setattr(ray_engine, "version", version)
    libraries = facts(fake(), None)["libraries"]
    assert libraries["transformers"] == "not installed"
    assert libraries["torch"] == libraries["timm"] == "1.0"
