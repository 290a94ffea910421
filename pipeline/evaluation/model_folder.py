"""What evaluation adds to a model's folder, so that the model can be used on new material.

`preprocessor.json` says how each modality's features were made, `thresholds.json` how a probability
becomes a decision and a confidence. Both name the model they belong to.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError
from torch import nn

from pipeline.evaluation.calibration import fit_temperature
from pipeline.evaluation.scores import Arrays, choose_thresholds, select
from pipeline.ground.checked_yaml import CONTRADICTION, Section
from pipeline.ground.temporaries import write_text
from pipeline.inputs.feature_file import FeatureFile
from pipeline.inputs.json_files import read_json
from pipeline.mtl import Task
from pipeline.params import EncoderParams, EvaluateParams, Fraction
from pipeline.training.examples import Examples
from pipeline.training.model import WEIGHTS, ModelSpec, load_model, read_config

PREPROCESSOR, THRESHOLDS = "preprocessor.json", "thresholds.json"
# Attributes of a feature file that describe the file and not how its values were made.
_OF_THE_FILE = ("format", "modality")
DIGITS = 6  # of the validation scores, which need no more to choose a threshold

Probability = Annotated[float, Field(ge=0, le=1)]


class Decision(Section):
    """How one task's probabilities become a decision.

    `positives` are the probabilities of the positive class on the validation rows that have it,
    from high to low; operating points are chosen from them. A task of several classes has none.
    """

    threshold: Probability
    temperature: Annotated[float, Field(gt=0)]
    positives: list[Probability] = Field(default_factory=list)


class Decisions(Section):
    """thresholds.json: `model` is the SHA-256 of the weights."""

    model: str
    unsure_below: Fraction
    tasks: dict[str, Decision]

    @property
    def thresholds(self) -> dict[str, float]:
        """The threshold of each task."""
        return {name: task.threshold for name, task in self.tasks.items()}


class Preprocessing(Section):
    """One modality of preprocessor.json: the encoder's parameters, and all that decides a value.

    `made_with` holds the SHA-256 of the weights, which names a folder of the cache.
    """

    params: dict[str, Any]
    made_with: dict[str, str | int | float]

    @model_validator(mode="after")
    def _check_weights(self) -> Preprocessing:
        if not re.fullmatch("[0-9a-f]{64}", str(self.made_with.get("weights"))):
            raise PydanticCustomError(CONTRADICTION, "made_with.weights is no SHA-256")
        return self


class Preprocessor(Section):
    """preprocessor.json: `model` is the SHA-256 of the weights."""

    model: str
    modalities: dict[str, Preprocessing]

    @property
    def untrained(self) -> list[str]:
        """The modalities whose encoder is a random network."""
        origins = {
            name: made.made_with.get("weights_origin") for name, made in self.modalities.items()
        }
        return [name for name, origin in origins.items() if origin == "untrained"]


@dataclass(frozen=True)
class TrainedModel:
    """A model's folder, read and checked."""

    folder: Path
    networks: nn.ModuleList
    spec: ModelSpec
    decisions: Decisions
    preprocessor: Preprocessor


def open_model(folder: Path) -> TrainedModel:
    """Read a model's folder whole.

    Raises ValueError in one line if it is none, of another format, damaged, not evaluated, or if
    its files belong to different models.
    """
    model = read_config(folder)["sha256"][WEIGHTS]
    for name in (PREPROCESSOR, THRESHOLDS):
        if not (folder / name).is_file():
            raise ValueError(f"{folder}: not evaluated, since it has no {name}; run `dvc repro`")
    decisions: Decisions = read_json(folder / THRESHOLDS, Decisions)
    preprocessor: Preprocessor = read_json(folder / PREPROCESSOR, Preprocessor)
    for name, file in ((THRESHOLDS, decisions), (PREPROCESSOR, preprocessor)):
        if file.model != model:
            raise ValueError(f"{folder / name}: of another model than {WEIGHTS}; run `dvc repro`")
    networks, spec = load_model(folder)
    for name, known, wanted in (
        (THRESHOLDS, decisions.tasks, {task.name for task in spec.tasks}),
        (PREPROCESSOR, preprocessor.modalities, set(spec.modalities)),
    ):
        if set(known) != wanted:
            raise ValueError(f"{folder / name}: for {sorted(known)}, the model is for {wanted}")
    return TrainedModel(folder, networks, spec, decisions, preprocessor)


def write_decisions(
    folder: Path,
    tasks: Sequence[Task],
    examples: Examples,
    probabilities: Arrays,
    params: EvaluateParams,
) -> Decisions:
    """Choose thresholds and temperatures on the validation rows; writes thresholds.json."""
    val = examples.rows("val")
    truth, scores = select(examples.targets, val), select(probabilities, val)
    thresholds = choose_thresholds(tasks, truth, scores, params.threshold)
    chosen = {
        task.name: Decision(
            threshold=thresholds[task.name],
            temperature=fit_temperature(truth[task.name], scores[task.name]),
            positives=_positives(task, truth[task.name], scores[task.name]),
        )
        for task in tasks
    }
    decisions = Decisions(model=_model(folder), unsure_below=params.unsure_below, tasks=chosen)
    _write(folder / THRESHOLDS, decisions)
    return decisions


def _positives(task: Task, truth: np.ndarray, probabilities: np.ndarray) -> list[float]:
    if task.positive is None:
        return []
    scores = probabilities[truth == task.positive, task.positive]
    # Rounded down, so that the row itself reaches a threshold of its rounded value.
    return sorted((float(np.floor(s * 10**DIGITS) / 10**DIGITS) for s in scores), reverse=True)


def write_preprocessor(
    folder: Path, files: Mapping[str, FeatureFile], params: Mapping[str, EncoderParams]
) -> None:
    """Write preprocessor.json from the feature files of the model's modalities."""
    modalities = {
        name: Preprocessing(params=params[name].model_dump(), made_with=made_with(file.attributes))
        for name, file in files.items()
    }
    _write(folder / PREPROCESSOR, Preprocessor(model=_model(folder), modalities=modalities))


def made_with(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Return what decides the values of a feature file with these attributes."""
    known = {key: value for key, value in attributes.items() if key not in _OF_THE_FILE}
    # HDF5 returns numbers of numpy.
    return {key: v.item() if isinstance(v, np.generic) else v for key, v in known.items()}


def _model(folder: Path) -> str:
    return str(read_config(folder)["sha256"][WEIGHTS])


def _write(path: Path, values: Section) -> None:
    write_text(path, json.dumps(values.model_dump(), indent=2, sort_keys=True) + "\n")
