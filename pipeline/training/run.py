"""One training run: from examples and choices to a fitted network."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from pipeline.models.network import MultimodalNetwork
from pipeline.models.standardise import Standardise
from pipeline.mtl import Task, build_mtl
from pipeline.training.examples import Examples
from pipeline.training.fit import Fitted, Log, Score, Settings, fit
from pipeline.training.spec import ModelSpec


def label_counts(
    examples: Examples, tasks: Sequence[Task]
) -> tuple[dict[str, int], dict[str, int]]:
    """Count labelled and positive training rows of each task (N and n_f of eq. 11).

    Positive are the rows of every class but the declared negative one; a task without a declared
    one has no count.
    """
    labelled, positives = {}, {}
    for task in tasks:
        truth = examples.targets[task.name][examples.rows("train")]
        labelled[task.name] = int((truth >= 0).sum())
        if task.negative is not None:
            negative = task.classes.index(task.negative)
            positives[task.name] = int(((truth >= 0) & (truth != negative)).sum())
    return labelled, positives


def trainable(tasks: Sequence[Task], examples: Examples) -> list[Task]:
    """Keep the tasks of which training rows show at least two classes: others teach nothing."""
    train = examples.rows("train")
    return [
        task
        for task in tasks
        if len(np.setdiff1d(np.unique(examples.targets[task.name][train]), [-1])) > 1
    ]


def train_model(
    spec: ModelSpec,
    examples: Examples,
    settings: Settings,
    alpha: float,
    beta: float,
    score: Score | None,
    log: Log,
    device: str = "cpu",
) -> tuple[MultimodalNetwork, Fitted]:
    """Build and fit a network; the same seed, data and kind of processor give the same bits."""
    torch.manual_seed(settings.seed)
    train = examples.rows("train")
    scales = {
        name: Standardise.fit(dim, (examples.sequences[name][row] for row in train))
        for name, dim in spec.modalities.items()
    }
    network = spec.build(scales)
    labelled, positives = label_counts(examples, spec.tasks)
    method = build_mtl(
        spec.mtl, spec.tasks, alpha=alpha, beta=beta, positives=positives, labelled=labelled
    )
    fitted = fit(network, method, spec.tasks, examples, settings, score, log, device)
    return network, fitted
