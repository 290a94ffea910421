"""The typed schema of tables/params.yaml."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, field_validator
from ruamel.yaml import YAML

from stages.tables.names import parse_row

Seed = Annotated[int, Field(ge=0, lt=2**32)]
Rate = Annotated[float, Field(gt=0)]


class Knobs(BaseModel):
    """All of tables/params.yaml."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)

    rows: Annotated[list[str], Field(min_length=1)]
    learning_rates: Annotated[list[Rate], Field(min_length=1)]
    tuning_seed: Seed
    further_seeds: Annotated[list[Seed], Field(min_length=1)]  # one alone has no deviation
    resamples: Annotated[int, Field(ge=100)]  # fewer have no 2.5th percentile to speak of

    @field_validator("rows")
    @classmethod
    def _known(cls, rows: list[str]) -> list[str]:
        for row in rows:
            parse_row(row)
        return rows

    @property
    def seeds(self) -> list[int]:
        """The seeds of a row's cells."""
        return [self.tuning_seed, *self.further_seeds]

    @field_validator("rows", "learning_rates", "further_seeds")
    @classmethod
    def _distinct(cls, values: list[object]) -> list[object]:
        if len(set(values)) < len(values):
            raise ValueError("an entry stands there twice")
        return values

    @field_validator("further_seeds")
    @classmethod
    def _further(cls, seeds: list[int], known: ValidationInfo) -> list[int]:
        if known.data.get("tuning_seed") in seeds:
            raise ValueError(f"{known.data['tuning_seed']} is the tuning_seed: its cell is there")
        return seeds


def load_knobs(path: Path = Path("tables/params.yaml")) -> Knobs:
    """Read and check the tables' parameters; ValueError has one line for each wrong key."""
    try:
        return Knobs.model_validate(YAML(typ="safe", pure=True).load(path))
    except ValidationError as error:
        raise ValueError("\n".join(_explain(path, e) for e in error.errors())) from None


def _explain(path: Path, error: object) -> str:
    key = ".".join(str(part) for part in error["loc"])  # type: ignore[index]
    return f"{path}: {key}: {error['msg'].removeprefix('Value error, ')}"  # type: ignore[index]
