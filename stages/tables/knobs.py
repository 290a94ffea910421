"""The typed schema of tables/params.yaml."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
)
from ruamel.yaml import YAML

from stages.tables import files
from stages.tables.names import parse_row
from stages.tables.spans import LARGEST, Span, parse_span

Seed = Annotated[int, Field(ge=0, le=LARGEST)]
Rate = Annotated[float, Field(gt=0)]


def _check_entry(text: object) -> object:
    parse_span(text)
    return text


Entry = Annotated[int | str, BeforeValidator(_check_entry)]


class Knobs(BaseModel):
    """All of tables/params.yaml."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)

    rows: Annotated[list[str], Field(min_length=1)]
    learning_rates: Annotated[list[Rate], Field(min_length=1)]
    tuning_seed: Seed
    # One cell alone has no deviation.
    further_seeds: Annotated[list[Entry], Field(min_length=1)]
    resamples: Annotated[int, Field(ge=100)]  # fewer have no 2.5th percentile to speak of

    @field_validator("rows")
    @classmethod
    def _known(cls, rows: list[str]) -> list[str]:
        for row in rows:
            parse_row(row)
        return rows

    @field_validator("rows", "learning_rates")
    @classmethod
    def _distinct(cls, values: list[object]) -> list[object]:
        if len(set(values)) < len(values):
            raise ValueError("an entry stands there twice")
        return values

    @field_validator("further_seeds")
    @classmethod
    def _further(cls, entries: list[int | str], known: ValidationInfo) -> list[int | str]:
        seeds = [seed for entry in entries for seed in parse_span(entry).seeds]
        if known.data.get("tuning_seed") in seeds:
            raise ValueError(f"{known.data['tuning_seed']} is the tuning_seed: its cell is there")
        twice = sorted({seed for seed in seeds if seeds.count(seed) > 1})
        if twice:
            raise ValueError(f"seed {twice[0]} stands there twice")
        return entries

    @property
    def spans(self) -> list[Span]:
        """The seeds of a row's cells, by the stage that trains them."""
        return [parse_span(text) for text in (self.tuning_seed, *self.further_seeds)]

    @property
    def seeds(self) -> list[int]:
        """The seeds of a row's cells."""
        return [seed for span in self.spans for seed in span.seeds]

    def places(self, name: str, row: str) -> list[files.Place]:
        """Where the cells of a set's row are, a seed each."""
        return [
            files.Place(name, row, span.name, seed) for span in self.spans for seed in span.seeds
        ]


def load_knobs(path: Path = Path("tables/params.yaml")) -> Knobs:
    """Read and check the tables' parameters; ValueError has one line for each wrong key."""
    try:
        return Knobs.model_validate(YAML(typ="safe", pure=True).load(path))
    except ValidationError as error:
        raise ValueError("\n".join(_explain(path, e) for e in error.errors())) from None


def _explain(path: Path, error: object) -> str:
    key = ".".join(str(part) for part in error["loc"])  # type: ignore[index]
    return f"{path}: {key}: {error['msg'].removeprefix('Value error, ')}"  # type: ignore[index]
