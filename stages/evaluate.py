"""Score one data set's model and its baselines on the test samples."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pandas as pd
import torch

from pipeline import runtime
from pipeline.evaluation.calibration import calibration_scores
from pipeline.evaluation.evaluate import (
    baseline_table,
    baselines_of,
    leak_free_scores,
    split_scores,
)
from pipeline.evaluation.literature import beside_ours, comparable_lines, comparison_table
from pipeline.evaluation.model_card import Card, write_card
from pipeline.evaluation.model_folder import Decisions, write_decisions, write_preprocessor
from pipeline.evaluation.plots import write_plots
from pipeline.evaluation.predictions import prediction_table, with_truth
from pipeline.evaluation.provenance import write_provenance
from pipeline.evaluation.scores import Arrays, Scores, select, unscored_notes
from pipeline.evaluation.zero_shot import zero_shot
from pipeline.ground.command import run
from pipeline.ground.data_set import DataSet, data_set
from pipeline.ground.failures import join_failures, summary
from pipeline.ground.messages import echo
from pipeline.ground.processes import THREADS
from pipeline.ground.temporaries import write_text
from pipeline.inputs.feature_file import FeatureFile, features_line
from pipeline.inputs.parquet import read_table, write_table
from pipeline.mtl import Task
from pipeline.params import Params, load_params
from pipeline.training.examples import Examples, load_examples
from pipeline.training.model import WEIGHTS, ModelSpec, load_model
from pipeline.training.predict import final_probabilities
from pipeline.training.shots import few_shots

# In the metrics of a split that leaks: the scores of the test rows whose group is not in training.
WITHOUT = "without_near_duplicates"

VISUAL = Path("data/weights/visual")


def evaluate(name: str) -> None:
    """Write metrics, baselines, predictions, plots, all failures, and the model's use, of a set."""
    data, params = data_set(name), load_params()
    failures = join_failures(data)
    echo(f"{name}: {summary(failures)}")
    torch.set_num_threads(THREADS)
    folder, index = Path("models") / name, read_table(data.index)
    networks, spec = load_model(folder)
    tasks = spec.tasks
    files = {modality: FeatureFile(data.features(modality)) for modality in spec.modalities}
    examples = _examples(data, spec, index, files)
    networks.to(runtime.device())
    probabilities = final_probabilities(networks, examples, tasks)
    decisions = write_decisions(folder, tasks, examples, probabilities, params.evaluate)
    write_preprocessor(folder, files, dict(params.features))
    provenance = write_provenance(
        folder,
        source=params.data.sources[name],
        params=params.model_dump(),
        files=[data.index, *(file.path for file in files.values()), folder / WEIGHTS],
        index=index,
        tasks=tasks,
    )
    table = prediction_table(tasks, examples, probabilities, decisions, failures)
    write_table(Path("predictions") / f"{name}.parquet", with_truth(table, tasks, examples))
    test = examples.rows("test")
    truth, predicted = select(examples.targets, test), select(probabilities, test)
    write_plots(Path("plots") / name, tasks, truth, predicted, decisions.thresholds)
    for note in unscored_notes(tasks, truth, "test"):
        echo(f"{name}: {note}")
    scores, baselines = _score(data, params, index, tasks, examples, probabilities, decisions)
    card = Card(
        name=name,
        spec=spec,
        files=files,
        index=index,
        split=params.data.of(name).split,
        examples=examples,
        probabilities=probabilities,
        decisions=decisions,
        scores=scores,
        baselines=baselines,
        provenance=provenance,
    )
    write_card(folder, card)


def _examples(
    data: DataSet, spec: ModelSpec, index: pd.DataFrame, files: Mapping[str, FeatureFile]
) -> Examples:
    paths = {modality: file.path for modality, file in files.items()}
    examples = load_examples(index, spec.tasks, paths, pooled=spec.encoder == "pooled")
    if examples.dims != spec.modalities:
        raise ValueError(
            f"models/{data.name}/config.json: its features have the widths {spec.modalities}, "
            f"those of {data.folder / 'features'} {examples.dims}; run `dvc repro`"
        )
    echo(f"{data.name}: {features_line(files)}")
    if examples.readers:
        echo(f"{data.name}: {examples.readers.description}")
    return examples


def _score(
    data: DataSet,
    params: Params,
    index: pd.DataFrame,
    tasks: tuple[Task, ...],
    examples: Examples,
    probabilities: Arrays,
    decisions: Decisions,
) -> tuple[dict[str, Scores], dict[str, dict[str, Scores]]]:
    """Write and return the scores of the model and of its baselines, whose predictions it writes.

    Prints the means.
    """
    name, rule, thresholds = data.name, params.evaluate.threshold, decisions.thresholds
    scores = split_scores(tasks, examples, probabilities, thresholds)
    test = examples.rows("test")
    truth, predicted = select(examples.targets, test), select(probabilities, test)
    for task in tasks:
        temperature = decisions.tasks[task.name].temperature
        scores[task.name] |= calibration_scores(truth[task.name], predicted[task.name], temperature)
    leaks = index["leaks"].to_numpy(bool)
    leak_free = leak_free_scores(tasks, examples, probabilities, thresholds, leaks)
    features = {modality: data.features(modality) for modality in data.modalities_of(index)}
    pooled = load_examples(index, tasks, features, pooled=True)
    pooled = few_shots(pooled, tasks, params.train.shots, params.seed)
    others = {
        **baselines_of(tasks, pooled, index["text"].fillna("").tolist(), rule),
        **zero_shot(name, VISUAL, tasks, pooled, params.evaluate.zero_shot, rule),
    }
    write_table(Path("predictions") / f"{name}_baselines.parquet", baseline_table(pooled, others))
    baselines = {key: baseline.scores(pooled) for key, baseline in others.items()}
    more = {WITHOUT: leak_free} if leak_free else {}
    _write_json(Path("metrics") / f"{name}.json", {**scores, **more})
    _write_json(Path("metrics") / f"{name}_baselines.json", baselines)
    echo(score_summary(name, scores["mean"], baselines))
    if leaks.any():
        echo(f"{name}: {_leak_summary(leaks.sum(), leak_free)}")
    published = beside_ours(name, params.data.of(name), index, tasks, scores, params.train.shots)
    listed = Path("plots") / name / "figures" / "literature.md"
    if published:
        write_text(listed, comparison_table(published) + "\n")
    for line in comparable_lines(published, listed):
        echo(f"{name}: {line}")
    return scores, baselines


def _write_json(path: Path, values: object) -> None:
    write_text(path, json.dumps(values, indent=2, sort_keys=True, allow_nan=False) + "\n")


def score_summary(name: str, mean: Scores, baselines: Mapping[str, Mapping[str, Scores]]) -> str:
    """Say in one line the means of the model, and the MAP of each baseline that has one."""
    if not mean["tasks"]:
        return f"{name}: no mean test F1, HL and MAP, since no test row is positive in any task"
    rows = {"model": mean, **{key: scores["mean"] for key, scores in baselines.items()}}
    # A baseline of some tasks may have no mean where the model has one.
    maps = ", ".join(f"{key} {means['map']:.3f}" for key, means in rows.items() if "map" in means)
    return f"{name}: test F1 {mean['f1']:.3f}, HL {mean['hl']:.3f}; MAP: {maps}"


def _leak_summary(count: int, scores: dict[str, Scores] | None) -> str:
    without = f"without the {count:,} test samples that share a tweet, photo or text with training"
    if scores is None or not scores["mean"]["tasks"]:
        return f"{without} there is nothing to score"
    mean = scores["mean"]
    return f"{without}: F1 {mean['f1']:.3f}, HL {mean['hl']:.3f}, MAP {mean['map']:.3f}"


if __name__ == "__main__":
    run(evaluate)
