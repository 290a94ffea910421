"""A place for a downloaded file, and fetches to it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipeline.inputs.fetch import FetchError, fetch


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "downloads" / "file.bin"


@pytest.fixture
def get(path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """Fetch to `path`, without waiting between attempts."""
    monkeypatch.setattr("pipeline.inputs.fetch.BACKOFF", 0.0)

    def run(url: str, **options: Any) -> str:
        return fetch(url, path, **{"sha256": None, **options})

    return run


@pytest.fixture
def message(get: Callable[..., str]) -> Callable[..., str]:
    """Fetch, which must fail, and return the message without its address."""

    def run(url: str, **options: Any) -> str:
        with pytest.raises(FetchError) as caught:
            get(url, **options)
        return str(caught.value).removeprefix(f"{url}: ")

    return run
