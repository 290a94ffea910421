"""Train one data set's network."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pandas as pd
import torch
import typer
from dvclive import Live

from pipeline import runtime
from pipeline.evaluation.scores import select, validation_scores
from pipeline.ground.command import run
from pipeline.ground.data_set import DataSet, data_set
from pipeline.ground.progress import progress
from pipeline.mtl import Task
from pipeline.params import Params, load_params
from pipeline.training.examples import Examples, drop_unseen, load_examples, load_tasks
from pipeline.training.fit import Fitted, Settings
from pipeline.training.repeatable import repeatable
from pipeline.training.run import label_counts, train_model, trainable
from pipeline.training.spec import ModelSpec, save_model


def train(name: str) -> None:
    """Train on one data set; writes the best epoch's model and a log of every epoch."""
    chosen, params = data_set(name), load_params()
    repeatable()
    tasks = load_tasks(chosen.tasks)
    examples = _examples(chosen, params, tasks)
    kept = trainable(tasks, examples)
    if len(kept) < len(tasks):
        left_out = sorted({task.name for task in tasks} - {task.name for task in kept})
        typer.echo(f"{name}: not trained for lack of two classes: {', '.join(left_out)}")
    spec = _spec(chosen, params, kept, examples)
    with Live(f"plots/{name}/live", save_dvc_exp=False, dvcyaml=None, report=None) as live:
        network, fitted = _fit(spec, examples, params, live)
    labelled, positives = label_counts(examples, kept)
    facts = {"epochs": fitted.epochs, "best_epoch": fitted.best_epoch, "seed": params.seed}
    counts = {"labelled": labelled, "positives": positives}
    parameters = sum(p.numel() for p in network.parameters())
    save_model(Path("models") / name, network, spec, **facts, **counts, parameters=parameters)
    typer.echo(_told(name, spec, fitted, parameters))


def _examples(chosen: DataSet, params: Params, tasks: list[Task]) -> Examples:
    wanted = [name for name in chosen.modalities if name in params.train.modalities]
    if not wanted:
        raise ValueError(
            f"train.modalities has none of {chosen.name}'s: {', '.join(chosen.modalities)}"
        )
    features: dict[str, Path] = {name: chosen.features(name) for name in wanted}
    index = pd.read_parquet(chosen.index)
    examples = load_examples(index, tasks, features, pooled=chosen.encoder == "pooled")
    examples, dropped = drop_unseen(examples)
    if dropped:
        typer.echo(f"{chosen.name}: no training sample has {', '.join(dropped)}; left out")
    return examples


def _spec(chosen: DataSet, params: Params, tasks: list[Task], examples: Examples) -> ModelSpec:
    return ModelSpec(
        modalities=examples.dims,
        encoder=chosen.encoder,
        tasks=tuple(tasks),
        fusion=params.fusion.name,
        theta=params.fusion.theta,
        width=params.fusion.width,
        mtl=params.mtl.name,
        dropout=params.train.dropout,
    )


def _fit(
    spec: ModelSpec, examples: Examples, params: Params, live: Live
) -> tuple[torch.nn.Module, Fitted]:
    knobs = params.train
    settings = Settings(
        learning_rate=knobs.learning_rate,
        batch_size=knobs.batch_size,
        max_epochs=knobs.max_epochs,
        patience=knobs.patience,
        weight_decay=knobs.weight_decay,
        seed=params.seed,
        monitor=knobs.monitor,
    )
    truth = select(examples.targets, examples.rows("val"))
    with progress("epochs", knobs.max_epochs) as advance:

        def log(epoch: int, values: dict[str, float]) -> None:
            live.step = epoch
            for key, value in values.items():
                live.log_metric(key, value)
            advance()

        return train_model(
            spec,
            examples,
            settings,
            alpha=params.mtl.alpha,
            beta=params.mtl.beta,
            score=partial(validation_scores, spec.tasks, truth),
            log=log,
            device=runtime.device(),
        )


def _told(name: str, spec: ModelSpec, fitted: Fitted, parameters: int) -> str:
    return (
        f"{name}: {spec.fusion} + {spec.mtl} on {', '.join(spec.modalities)}, "
        f"{parameters:,} parameters; best of {fitted.epochs} epochs: {fitted.best_epoch}"
    )


if __name__ == "__main__":
    run(train)
