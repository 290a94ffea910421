"""YAML files against a typed schema: a wrong key or value is a line that names it."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from pathlib import Path
from reprlib import repr as shortened
from typing import Any, ClassVar, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError
from ruamel.yaml.events import AliasEvent, CollectionEndEvent, CollectionStartEvent, ScalarEvent

DEEPEST = 8  # levels of a file; params.yaml has four
LONGEST = 3000  # characters of a value

# The type of an error of two keys that exclude each other; its message begins with one of them.
CONTRADICTION = "contradiction"


class Section(BaseModel):
    """A mapping of known keys.

    `moved` has the keys of earlier versions of a file, with where their meaning is now. A section
    whose further keys are free names gives the schema of their values as `others`.
    """

    moved: ClassVar[dict[str, str]] = {}
    others: ClassVar[type[Section] | None] = None

    # Strict: the text "1.0" or a boolean is never taken for a number.
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


Schema = TypeVar("Schema", bound=Section)


def load_checked(path: Path, schema: type[Schema]) -> Schema:
    """Read a YAML file and check it against a schema.

    YAML 1.2 rules apply, so that `1e-4` is a number. Raises ValueError with one line for each
    wrong key: its name, its value, and what is allowed.
    """
    try:
        text = path.read_text(encoding="utf-8")
        _check_size(text)
        values = YAML(typ="safe", pure=True).load(text)
    except FileNotFoundError:
        raise ValueError(f"{path}: no such file; run from the project's root") from None
    except (YAMLError, ValueError, LookupError, TypeError) as error:
        raise ValueError(f"{path}: not valid YAML: {' '.join(str(error).split())}") from None
    try:
        return schema.model_validate(values)
    except ValidationError as error:
        lines = [f"{path}: {_explain(schema, e)}" for e in error.errors()]
        raise ValueError("\n".join(lines)) from None


def _check_size(text: str) -> None:
    """Raise ValueError for deep nesting, long values, and aliases, which can stand for any size."""
    depth = 0
    for event in YAML(typ="safe", pure=True).parse(text):
        depth += isinstance(event, CollectionStartEvent) - isinstance(event, CollectionEndEvent)
        if depth > DEEPEST:
            raise ValueError(f"more than {DEEPEST} levels")
        if isinstance(event, AliasEvent):
            raise ValueError(f"alias *{event.anchor}; write the value itself")
        if isinstance(event, ScalarEvent) and (len(event.value) > LONGEST or "\n" in event.value):
            raise ValueError(f"a value of several lines, or of more than {LONGEST:,} characters")


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return a remark that names the known word closest to `name`; empty if none is close."""
    close = get_close_matches(name, list(known), n=1)
    return f" (did you mean {close[0]}?)" if close else ""


def _explain(schema: type[Section], error: Any) -> str:
    key = ".".join(str(part) for part in error["loc"]) or "the file"
    if key in schema.moved:
        return f"{key} is no key any more; {schema.moved[key]}"
    if error["type"] in ("extra_forbidden", "invalid_key"):
        return f"unknown key {key}{_suggestion(schema, error['loc'])}; remove it or correct it"
    if error["type"] == "missing":
        return f"{key} is missing; add it"
    message = error["msg"].removeprefix("Input should be ").removeprefix("List should have ")
    message = message.removeprefix("Value error, ")
    if error["type"] == CONTRADICTION:
        return f"{key}.{message}"
    if error["type"] == "model_type":
        fields = _fields(schema, error["loc"])
        message = f"a mapping of {'the keys ' + ', '.join(fields) if fields else 'names'}"
    return f"{key} is {shortened(error['input'])}; allowed: {message}"


def _suggestion(schema: type[Section], location: tuple[str | int, ...]) -> str:
    fields = _fields(schema, location[:-1])
    return did_you_mean(str(location[-1]), fields) or f" (known here: {', '.join(fields)})"


def _fields(schema: type[Section], location: tuple[str | int, ...]) -> list[str]:
    section: Any = schema
    for part in location:
        field = section.model_fields.get(str(part))
        section = field.annotation if field else section.others
    return list(section.model_fields)
