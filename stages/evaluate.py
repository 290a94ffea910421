"""Score one data set's model and its baselines on the test samples."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from pipeline import runtime
from pipeline.evaluation.evaluate import (
    baseline_scores,
    leak_free_scores,
    prediction_table,
    split_scores,
    thresholds_of,
)
from pipeline.evaluation.literature import (
    beside_ours,
    comparable_lines,
    comparison_table,
    read_literature,
    split_names,
)
from pipeline.evaluation.plots import write_plots
from pipeline.evaluation.scores import Scores, select, unscored_notes
from pipeline.evaluation.zero_shot import zero_shot_scores
from pipeline.ground.command import run
from pipeline.ground.data_set import data_set
from pipeline.ground.failures import join_failures, summary
from pipeline.ground.messages import echo
from pipeline.ground.processes import THREADS
from pipeline.ground.temporaries import write_text
from pipeline.inputs.feature_file import FeatureFile, features_line
from pipeline.inputs.parquet import read_table, write_table
from pipeline.mtl import Task
from pipeline.params import Params, load_params
from pipeline.training.examples import load_examples
from pipeline.training.model import load_model
from pipeline.training.predict import predict
from pipeline.training.shots import few_shots

# In the metrics of a split that leaks: the scores of the test rows whose group is not in training.
WITHOUT = "without_near_duplicates"

VISUAL = Path("data/weights/visual")


def evaluate(name: str) -> None:
    """Write metrics, baselines, predictions, plots and all failures of one data set."""
    data, params = data_set(name), load_params()
    rule = params.evaluate.threshold
    echo(f"{name}: {summary(join_failures(data))}")
    torch.set_num_threads(THREADS)
    networks, spec = load_model(Path("models") / name)
    tasks, index = spec.tasks, read_table(data.index)
    features = {modality: data.features(modality) for modality in data.modalities}
    of_model = {modality: data.features(modality) for modality in spec.modalities}
    examples = load_examples(index, tasks, of_model, pooled=data.encoder == "pooled")
    if examples.dims != spec.modalities:
        raise ValueError(
            f"models/{name}/config.json: its features have the widths {spec.modalities}, those of "
            f"{data.folder / 'features'} {examples.dims}; run `dvc repro`"
        )
    files = {modality: FeatureFile(path) for modality, path in of_model.items()}
    echo(f"{name}: {features_line(files)}")
    if examples.readers:
        echo(f"{name}: {examples.readers.description}")
    networks.to(runtime.device())
    probabilities = predict(networks, examples, tasks, np.arange(len(examples.ids)))
    thresholds = thresholds_of(tasks, examples, probabilities, rule)
    scores = split_scores(tasks, examples, probabilities, thresholds)
    leaks = index["leaks"].to_numpy(bool)
    leak_free = leak_free_scores(tasks, examples, probabilities, thresholds, leaks)
    pooled = load_examples(index, tasks, features, pooled=True)
    pooled = few_shots(pooled, tasks, params.train.shots, params.seed)
    baselines = {
        **baseline_scores(tasks, pooled, index["text"].fillna("").tolist(), rule),
        **zero_shot_scores(name, VISUAL, tasks, pooled, params.evaluate.zero_shot, rule),
    }
    more = {WITHOUT: leak_free} if leak_free else {}
    _write_json(Path("metrics") / f"{name}.json", {**scores, **more})
    _write_json(Path("metrics") / f"{name}_baselines.json", baselines)
    predictions = Path("predictions") / f"{name}.parquet"
    write_table(predictions, prediction_table(tasks, examples, probabilities, thresholds))
    test = examples.rows("test")
    truth = select(examples.targets, test)
    write_plots(Path("plots") / name, tasks, truth, select(probabilities, test), thresholds)
    for note in unscored_notes(tasks, truth, "test"):
        echo(f"{name}: {note}")
    echo(_summary(name, scores["mean"], baselines))
    if leaks.any():
        echo(f"{name}: {_leak_summary(leaks.sum(), leak_free)}")
    for line in _write_literature(name, params, index, tasks, scores):
        echo(f"{name}: {line}")


def _write_literature(
    name: str,
    params: Params,
    index: pd.DataFrame,
    tasks: Sequence[Task],
    scores: Mapping[str, Scores],
) -> list[str]:
    """Write the published figures beside ours; returns what to print of them."""
    literature = read_literature()
    splits = split_names(getattr(params.data, name), index, tasks)
    comparisons = list(beside_ours(literature, name, tasks, splits, scores, params.train.shots))
    path = Path("plots") / name / "figures" / "literature.md"
    if comparisons:
        write_text(path, comparison_table(literature, comparisons) + "\n")
    return comparable_lines(comparisons, path)


def _write_json(path: Path, values: object) -> None:
    write_text(path, json.dumps(values, indent=2, sort_keys=True, allow_nan=False) + "\n")


def _summary(name: str, mean: Scores, baselines: dict[str, dict[str, Scores]]) -> str:
    rows = {"model": mean, **{key: scores["mean"] for key, scores in baselines.items()}}
    if not mean["tasks"]:
        return f"{name}: no mean test F1, HL and MAP, since no test row is positive in any task"
    maps = ", ".join(f"{key} {scores['map']:.3f}" for key, scores in rows.items())
    return f"{name}: test F1 {mean['f1']:.3f}, HL {mean['hl']:.3f}; MAP: {maps}"


def _leak_summary(count: int, scores: dict[str, Scores] | None) -> str:
    without = f"without the {count:,} test samples that share a tweet, photo or text with training"
    if scores is None or not scores["mean"]["tasks"]:
        return f"{without} there is nothing to score"
    mean = scores["mean"]
    return f"{without}: F1 {mean['f1']:.3f}, HL {mean['hl']:.3f}, MAP {mean['map']:.3f}"


if __name__ == "__main__":
    run(evaluate)
