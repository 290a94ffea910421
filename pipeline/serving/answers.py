"""What the worker does with a post: encode it once, decide, explain, find its neighbours."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd

from pipeline.explanation.explain import Explanation
from pipeline.features.cache import MemoryCache
from pipeline.ground.failures import Failure
from pipeline.prediction.predictor import Encoded, Predictor
from pipeline.serving.neighbours import Neighbours, neighbours_of
from pipeline.serving.worker import Question, Service

WARM = "Flood water in the streets"


def service(model: Path, weights: Path | None, scratch: Path) -> Service:
    """Load a model and its encoders; `scratch` is the server's temporary folder.

    Raises ValueError in one line: see `Predictor.load`.
    """
    cache = MemoryCache()
    predictor = Predictor.load(model, weights=weights, cache=cache)
    predictor.warm()
    neighbours = neighbours_of(predictor, scratch / "neighbours.npy")
    answers = Answers(predictor, cache, neighbours)
    answers(Question(scratch, text=WARM))  # the first pass of a network is slower
    tasks = [{"name": task.name, "classes": list(task.classes)} for task in predictor.tasks]
    facts = {
        "model": model.absolute().name,
        "tasks": tasks,
        "modalities": list(predictor.modalities),
        "untrained": predictor.model.preprocessor.untrained,
        "training_samples": len(neighbours.samples),
        "no_training_samples": neighbours.missing,
    }
    return Service(answers, facts)


class Answers:
    """Answers questions with a predictor; the features of a post are forgotten after its answer."""

    def __init__(self, predictor: Predictor, cache: MemoryCache, neighbours: Neighbours) -> None:
        self.predictor, self.neighbours = predictor, neighbours
        self._cache = cache

    def __call__(self, question: Question) -> dict[str, Any]:
        """Return the row of `prediction_table` by task and modality, and what explains it."""
        with self._nothing_kept(question.folder):
            (encoded,) = self.predictor.encode(question.post, question.folder)
            row = self.predictor.decide(encoded).iloc[0]
            vector = self.predictor.representation(encoded.examples, encoded.rows)[0]
            anything = any(row[f"{name}.present"] for name in self.predictor.modalities)
            explain = question.explain and anything
            return {
                "tasks": {task.name: _task(row, task.name) for task in self.predictor.tasks},
                "modalities": self._modalities(row, encoded, question),
                "unsure": bool(row["unsure"]),
                "explanation": self._explanation(question) if explain else None,
                # Without any input the nearest samples would be arbitrary.
                "neighbours": self.neighbours.nearest(vector) if anything else [],
            }

    @contextmanager
    def _nothing_kept(self, folder: Path) -> Iterator[None]:
        # In the request's folder, which the server removes even if this process is killed.
        tempfile.tempdir = str(folder)
        try:
            yield
        finally:
            tempfile.tempdir = None
            self._cache.clear()

    def _modalities(
        self, row: pd.Series, encoded: Encoded, question: Question
    ) -> dict[str, dict[str, Any]]:
        return {
            name: {
                "present": bool(row[f"{name}.present"]),
                "failure": None if pd.isna(kind := row[f"{name}.failure"]) else str(kind),
                "messages": _messages(name, encoded.failures, question),
            }
            for name in self.predictor.modalities
        }

    def _explanation(self, question: Question) -> dict[str, Any]:
        ((_, explanation),) = self.predictor.explanations(question.post, question.folder)
        return {task.name: _explained(explanation, task.name) for task in self.predictor.tasks}


def _task(row: pd.Series, name: str) -> dict[str, Any]:
    start = f"{name}.p."
    return {
        "decision": str(row[f"{name}.decision"]),
        "confidence": float(row[f"{name}.confidence"]),
        "probabilities": {
            str(key).removeprefix(start): float(value)
            for key, value in row.items()
            if str(key).startswith(start)
        },
    }


def _explained(explanation: Explanation, task: str) -> dict[str, Any]:
    """Return what the probability of a task's decision rests on: see `Explanation`."""
    drops = explanation.word_drops[task].tolist()
    return {
        "probability": explanation.probability[task],
        "nothing": explanation.nothing[task],
        "shapley": {name: explanation.shapley[task][name] for name in explanation.present},
        "words": [list(pair) for pair in zip(explanation.words, drops, strict=True)],
        "regions": [grids[task].tolist() for grids in explanation.regions],
    }


def _messages(modality: str, failures: list[Failure], question: Question) -> list[str]:
    """Return the failures' messages without the server's folder, which means nothing to a user."""
    folder = f"{question.folder}/"
    return [f.message.replace(folder, "") for f in failures if f.modality == modality]
