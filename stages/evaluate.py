"""Score one data set's model on its test side, beside what it must beat."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import torch
import typer

from pipeline import runtime
from pipeline.evaluation.baselines import baseline_probabilities
from pipeline.evaluation.literature import beside_published
from pipeline.evaluation.plots import write_plots
from pipeline.evaluation.predictions import prediction_table
from pipeline.evaluation.scores import Arrays, Scores, choose_thresholds, score_tasks, select
from pipeline.ground.command import run
from pipeline.ground.data_set import DataSet, data_set
from pipeline.ground.failures import join_failures, summary
from pipeline.mtl import Task
from pipeline.params import load_params
from pipeline.training.examples import Examples, load_examples
from pipeline.training.model import load_model
from pipeline.training.predict import predict


def evaluate(name: str) -> None:
    """Write metrics, baselines, predictions, plots and all failures of one data set."""
    chosen, params = data_set(name), load_params()
    typer.echo(f"{name}: {summary(join_failures(chosen))}")
    rule = params.evaluate.threshold
    torch.set_num_threads(runtime.THREADS)
    network, spec = load_model(Path("models") / name)
    index = pd.read_parquet(chosen.index)
    examples = _examples(chosen, index, spec.tasks, list(spec.modalities))
    everyone = np.arange(len(examples.ids))
    network.to(runtime.device())
    probabilities = predict(network, examples, spec.tasks, everyone)
    val = examples.rows("val")
    thresholds = choose_thresholds(
        spec.tasks, select(examples.targets, val), select(probabilities, val), rule
    )
    scores = _test_scores(spec.tasks, examples, probabilities, thresholds)
    _write_json(Path("metrics") / f"{name}.json", scores)
    baselines = _baselines(chosen, index, examples, spec.tasks, rule)
    _write_json(Path("metrics") / f"{name}_baselines.json", baselines)
    table = prediction_table(spec.tasks, examples, probabilities, thresholds)
    _write_table(Path("predictions") / f"{name}.parquet", table)
    test = examples.rows("test")
    truth, shown = select(examples.targets, test), select(probabilities, test)
    write_plots(Path("plots") / name, spec.tasks, truth, shown, thresholds)
    typer.echo(_told(name, scores["mean"], baselines))
    if name == "crisismmd" and (note := beside_published(params.data.crisismmd.split, scores)):
        typer.echo(f"{name}: {note}")


def _examples(
    chosen: DataSet, index: pd.DataFrame, tasks: tuple[Task, ...], modalities: list[str]
) -> Examples:
    features = {modality: chosen.features(modality) for modality in modalities}
    return load_examples(index, tasks, features, pooled=chosen.encoder == "pooled")


def _test_scores(
    tasks: tuple[Task, ...], examples: Examples, probabilities: Arrays, thresholds: dict[str, float]
) -> dict[str, Scores]:
    test = examples.rows("test")
    truth = select(examples.targets, test)
    return score_tasks(tasks, truth, select(probabilities, test), thresholds)


def _baselines(
    chosen: DataSet, index: pd.DataFrame, examples: Examples, tasks: tuple[Task, ...], rule: str
) -> dict[str, dict[str, Scores]]:
    features = {modality: chosen.features(modality) for modality in chosen.modalities}
    pooled = load_examples(index, tasks, features, pooled=True)
    texts = index["text"].fillna("").tolist()
    val, result = examples.rows("val"), {}
    quality = {}
    for baseline, probabilities in baseline_probabilities(tasks, pooled, texts).items():
        truth, shown = select(examples.targets, val), select(probabilities, val)
        # The majority stays the majority: its constant score has no better threshold.
        chosen_rule = "half" if baseline == "majority" else rule
        thresholds = choose_thresholds(tasks, truth, shown, chosen_rule)
        result[baseline] = _test_scores(tasks, examples, probabilities, thresholds)
        if baseline.startswith("single_"):
            quality[baseline] = score_tasks(tasks, truth, shown, thresholds)["mean"]["map"]
    result["best_single"] = result[max(quality, key=lambda name: quality[name])]
    return result


def _write_json(path: Path, values: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(values, indent=2, sort_keys=True, allow_nan=False) + "\n")


def _write_table(path: Path, table: pd.DataFrame) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    table.to_parquet(path, index=False)


def _told(name: str, mean: Scores, baselines: dict[str, dict[str, Scores]]) -> str:
    rows = {"model": mean, **{key: scores["mean"] for key, scores in baselines.items()}}
    told = ", ".join(f"{key} {scores['map']:.3f}" for key, scores in rows.items())
    return f"{name}: test F1 {mean['f1']:.3f}, HL {mean['hl']:.3f}; MAP: {told}"


if __name__ == "__main__":
    run(evaluate)
