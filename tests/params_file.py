"""Changed copies of the shipped params.yaml, and the errors that they give."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.params import load_params

ROOT = Path(__file__).resolve().parents[1]
SHIPPED = (ROOT / "params.yaml").read_text()


def changed(path: Path, old: str, new: str) -> Path:
    assert SHIPPED.count(old) >= 1
    path.write_text(SHIPPED.replace(old, new, 1))
    return path


def refusal(path: Path) -> str:
    """The error message, without the file's name."""
    with pytest.raises(ValueError, match=r".") as caught:
        load_params(path)
    message = str(caught.value)
    assert all(line.startswith(f"{path}: ") for line in message.splitlines())
    return message.replace(f"{path}: ", "")
