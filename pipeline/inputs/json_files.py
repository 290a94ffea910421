"""JSON files, checked against a schema while they are parsed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

LARGEST = 64 << 20  # bytes
CURE = "correct the file, or make it again"


def read_json(path: Path, schema: Any, cure: str = CURE) -> Any:
    """Read a JSON file as `schema`, a type that pydantic can check.

    Raises ValueError naming the file, the first key that is wrong, and the cure.
    """
    if (size := path.stat().st_size) > LARGEST:
        raise ValueError(f"{path}: {size:,} bytes, expected at most {LARGEST:,}; {cure}")
    with _faults_named(path, cure):
        return TypeAdapter(schema).validate_json(path.read_bytes())


def check_json(path: Path, values: object, schema: Any, cure: str = CURE) -> Any:
    """Return the values that were read from a JSON file as `schema`, as `read_json` does."""
    with _faults_named(path, cure):
        return TypeAdapter(schema).validate_python(values)


@contextmanager
def _faults_named(path: Path, cure: str) -> Iterator[None]:
    try:
        yield
    except ValidationError as error:
        fault = error.errors(include_input=False, include_url=False)[0]
        key = ascii(".".join(map(str, fault["loc"])))[1:-1][:200] or "content"
        raise ValueError(f"{path}: {key}: {fault['msg']}; {cure}") from None
