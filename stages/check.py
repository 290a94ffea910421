"""Check, after all other stages, that DVC's cache holds what they wrote."""

from __future__ import annotations

from pathlib import Path

from pipeline.ground.command import run
from pipeline.ground.dvc_files import not_in_cache


def check() -> None:
    """Raise ValueError for outputs that DVC could not store; DVC itself only warns of a folder."""
    if faults := list(not_in_cache(Path())):
        raise ValueError("; ".join(faults))


if __name__ == "__main__":
    run(check)
