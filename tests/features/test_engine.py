from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pipeline.features import engine as module
from pipeline.features.cache import ItemCache
from pipeline.features.engine import run_engine
from pipeline.features.recipe import Item

Fake = Callable[..., Any]


@pytest.mark.parametrize(
    ("value", "expected"), [("", "run_local"), ("local", "run_local"), ("ray", "run_ray")]
)
def test_the_environment_chooses_the_engine(
    fake: Fake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, value: str, expected: str
) -> None:
    def engine(name: str) -> Callable[..., Iterator[str]]:
        return lambda *arguments: iter([name])

    monkeypatch.setenv("HGFN_ENGINE", value)
    for name in ("run_local", "run_ray"):
        monkeypatch.setattr(module, name, engine(name))
    items = {"key": Item("a", text="a")}
    assert list(run_engine(fake(), items, ItemCache(tmp_path), 1)) == [expected]


def test_an_unknown_engine_is_refused(
    fake: Fake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HGFN_ENGINE", "dask")
    with pytest.raises(ValueError, match="HGFN_ENGINE is 'dask'; allowed: local, ray"):
        list(run_engine(fake(), {}, ItemCache(tmp_path), 1))
