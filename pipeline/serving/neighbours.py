"""The training samples whose representations are the most similar to that of a post."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pipeline.evaluation.model_folder import made_with
from pipeline.ground.data_set import DataSet, data_set
from pipeline.ground.temporaries import written_whole
from pipeline.inputs.feature_file import FeatureFile
from pipeline.inputs.parquet import read_table
from pipeline.mtl import Task
from pipeline.prediction.predictor import Predictor
from pipeline.training.examples import Examples

COUNT = 5
TEXT = 300  # characters of a text that are shown


@dataclass(frozen=True)
class Neighbours:
    """Training samples with their representations [n, width] of length 1.

    Without any, `missing` says why.
    """

    samples: pd.DataFrame
    vectors: np.ndarray
    tasks: tuple[Task, ...] = ()
    missing: str | None = None

    def nearest(self, vector: np.ndarray) -> list[dict[str, Any]]:
        """Return the samples of the highest cosine with a representation [width], best first."""
        if not len(self.samples):
            return []
        cosines = self.vectors @ _normalised(vector[None])[0]
        # Stable, so that equal samples have one order.
        best = np.argsort(-cosines, kind="stable")[:COUNT]
        return [self._described(int(row), float(cosines[row])) for row in best]

    def _described(self, row: int, cosine: float) -> dict[str, Any]:
        sample = self.samples.iloc[row]
        text = "" if pd.isna(sample["text"]) else str(sample["text"])
        labels = {
            task.name: None if pd.isna(sample[task.name]) else task.classes[int(sample[task.name])]
            for task in self.tasks
        }
        cut = text if len(text) <= TEXT else f"{text[:TEXT]} ..."
        return {"id": str(sample["id"]), "text": cut, "labels": labels, "cosine": cosine}


def neighbours_of(predictor: Predictor, stored: Path) -> Neighbours:
    """Return the training samples of the project that a model's folder lies in.

    Their features must be the model's own. The representations are written to the file `stored`,
    or read from it if it exists.
    """
    folder = predictor.model.folder.absolute()
    root = folder.parent.parent
    try:
        return _read(predictor, root, data_set(folder.name), stored)
    except (ValueError, FileNotFoundError) as error:
        return Neighbours(pd.DataFrame(), np.zeros((0, 0)), missing=str(error))


def _read(predictor: Predictor, root: Path, data: DataSet, stored: Path) -> Neighbours:
    if not (root / data.index).is_file():
        raise ValueError(f"the training samples are not beside the model ({data.index})")
    index, files = read_table(root / data.index), dict[str, FeatureFile]()
    for name in predictor.modalities:
        file = files[name] = FeatureFile(root / data.features(name))
        made = predictor.model.preprocessor.modalities[name].made_with
        if made_with(file.attributes) != made or file.ids != index["id"].tolist():
            raise ValueError(f"{data.features(name)} is not what the model was trained on")
    pooled = predictor.model.spec.encoder == "pooled"
    sequences = {name: file.rows(pooled) for name, file in files.items()}
    examples = Examples(index["id"].tolist(), index["split"].to_numpy(str), sequences, {})
    something = np.any([examples.present(name) for name in sequences], axis=0)
    rows = np.flatnonzero((examples.split == "train") & something)
    if not len(rows):
        raise ValueError("no training sample has any modality")
    tasks = tuple(task for task in predictor.tasks if task.name in index)
    if not stored.is_file():
        # Written whole, since the next worker reads it if this one is killed.
        with written_whole(stored) as temporary, temporary.open("wb") as output:
            np.save(output, _normalised(predictor.representation(examples, rows)))
    return Neighbours(index.iloc[rows], np.load(stored, allow_pickle=False), tasks)


def _normalised(vectors: np.ndarray) -> np.ndarray:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.divide(vectors, lengths, out=np.zeros_like(vectors), where=lengths > 0)
