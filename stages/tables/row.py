"""One row of the tables on one data set: a fusion with a multi-task method, trained."""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import partial

from pipeline import runtime
from pipeline.ground.data_set import DataSet
from pipeline.models.network import MultimodalNetwork
from pipeline.mtl import Task
from pipeline.params import Params
from pipeline.training.examples import Examples
from pipeline.training.fit import Fitted, Score, make_repeatable, train
from pipeline.training.model import ModelSpec, fusion_settings_of, settings_of
from stages.tables.names import parse_row


@dataclass(frozen=True)
class Trained:
    """A fitted network, and the processor's seconds that took, whatever ran beside it."""

    network: MultimodalNetwork
    fitted: Fitted
    seconds: float


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
    make_repeatable()
    fusion, method = parse_row(row)
    spec = ModelSpec(
        modalities=examples.dims,
        encoder=chosen.encoder,
        tasks=tasks,
        fusion=fusion_settings_of(fusion, params.fusion),
        mtl=settings_of(method, params.mtl),
        dropout=params.train.dropout,
    )
    begin = time.process_time()
    network, fitted = train(
        spec,
        examples,
        params.train.model_copy(update={"learning_rate": learning_rate}),
        seed=seed,
        score=None if params.train.monitor == "loss" else _scorer(examples, tasks),
        device=runtime.device(),
    )
    return Trained(network, fitted, time.process_time() - begin)


def _scorer(examples: Examples, tasks: tuple[Task, ...]) -> Score:
    # Not at the top: scikit-learn takes a second to load, and 120 cells do without.
    from pipeline.evaluation.scores import select, validation_scores

    return partial(validation_scores, tasks, select(examples.targets, examples.rows("val")))
