"""One row of the tables on one data set: a fusion with a multi-task method, trained."""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import partial

import pandas as pd

from pipeline import runtime
from pipeline.ground.data_set import DataSet
from pipeline.models.network import MultimodalNetwork
from pipeline.mtl import Task
from pipeline.params import Params
from pipeline.training.examples import Examples, drop_unseen, load_examples, load_tasks
from pipeline.training.fit import Fitted, Score, Settings
from pipeline.training.repeatable import repeatable
from pipeline.training.run import train_model, trainable
from pipeline.training.spec import ModelSpec
from stages.tables.names import parse_row


@dataclass(frozen=True)
class Trained:
    """A fitted network, and the processor's seconds that took, whatever ran beside it."""

    network: MultimodalNetwork
    fitted: Fitted
    seconds: float


def load_set(chosen: DataSet) -> tuple[Examples, tuple[Task, ...], list[str]]:
    """Load a data set and the tasks that can be trained; names what training lacks."""
    tasks = load_tasks(chosen.tasks)
    features = {name: chosen.features(name) for name in chosen.modalities}
    index = pd.read_parquet(chosen.index)
    pooled = chosen.encoder == "pooled"
    examples, dropped = drop_unseen(load_examples(index, tasks, features, pooled=pooled))
    kept = tuple(trainable(tasks, examples))
    return examples, kept, dropped + [task.name for task in tasks if task not in kept]


def train_row(
    chosen: DataSet,
    examples: Examples,
    tasks: tuple[Task, ...],
    row: str,
    learning_rate: float,
    seed: int,
    params: Params,
) -> Trained:
    """Train one row; everything but the learning rate and the seed is the main pipeline's."""
    repeatable()
    knobs = params.train
    fusion, method = parse_row(row)
    spec = ModelSpec(
        modalities=examples.dims,
        encoder=chosen.encoder,
        tasks=tasks,
        fusion=fusion,
        theta=params.fusion.theta,
        width=params.fusion.width,
        mtl=method,
        dropout=knobs.dropout,
    )
    settings = Settings(
        learning_rate=learning_rate,
        batch_size=knobs.batch_size,
        max_epochs=knobs.max_epochs,
        patience=knobs.patience,
        weight_decay=knobs.weight_decay,
        seed=seed,
        monitor=knobs.monitor,
    )
    begin = time.process_time()
    network, fitted = train_model(
        spec,
        examples,
        settings,
        alpha=params.mtl.alpha,
        beta=params.mtl.beta,
        score=None if knobs.monitor == "loss" else _scorer(examples, tasks),
        log=lambda epoch, values: None,
        device=runtime.device(),
    )
    return Trained(network, fitted, time.process_time() - begin)


def _scorer(examples: Examples, tasks: tuple[Task, ...]) -> Score:
    # Not at the top: scikit-learn takes a second to load, and 120 cells do without.
    from pipeline.evaluation.scores import select, validation_scores

    return partial(validation_scores, tasks, select(examples.targets, examples.rows("val")))
