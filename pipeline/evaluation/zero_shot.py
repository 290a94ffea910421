"""The baseline without labels: pictures compared with a sentence for each class."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from scipy.special import softmax

from pipeline.evaluation.baselines import majority
from pipeline.evaluation.evaluate import Baseline
from pipeline.extractors.shared_space import SharedSpace, has_texts, shared_space
from pipeline.ground.messages import echo
from pipeline.mtl import Task
from pipeline.training.examples import Examples

Prompts = Mapping[str, Mapping[str, str]]  # a sentence by task and class

NAME = "zero_shot"


def zero_shot(
    name: str, weights: Path, tasks: Sequence[Task], pooled: Examples, prompts: Prompts, rule: str
) -> dict[str, Baseline]:
    """Predict by the similarity of pictures and prompts: {"zero_shot": baseline}, or nothing.

    `weights` is the folder of the visual encoder; without a text tower of the same space there is
    no such baseline. A task with a class that has no prompt is left out, which is printed with the
    data set's `name`.
    """
    if "visual" not in pooled.sequences or not has_texts(weights):
        return {}
    own = [task for task in tasks if set(task.classes) <= set(prompts.get(task.name, {}))]
    if left_out := [task.name for task in tasks if task not in own]:
        echo(f"{name}: zero-shot without {', '.join(left_out)}: evaluate.zero_shot has no prompts")
    test = pooled.rows("test")
    if not any((pooled.targets[task.name][test] >= 0).any() for task in own):
        if own:
            echo(f"{name}: no zero-shot: no test sample has a label of a task with prompts")
        return {}
    sentences = [prompts[task.name][label] for task in own for label in task.classes]
    space = shared_space(weights, sentences)
    width = pooled.dims["visual"]
    if space.texts.shape[1] != width:
        raise ValueError(
            f"{weights}: texts have {space.texts.shape[1]} numbers, the visual features {width}; "
            "run `dvc repro`"
        )
    probabilities = zero_shot_probabilities(own, pooled, space)
    missing = int((~pooled.present("visual")[test]).sum())
    if missing:
        echo(f"{name}: zero-shot: {missing} test samples without a picture count as the majority")
    return {NAME: Baseline.of(own, pooled, probabilities, rule)}


def zero_shot_probabilities(
    tasks: Sequence[Task], pooled: Examples, space: SharedSpace
) -> dict[str, np.ndarray]:
    """Predict [n, classes] for all samples by task; `space` has a text for each class, in order.

    CLIP's logits go through a softmax over a task's classes; SigLIP's go through a sigmoid each,
    and those of exclusive classes are scaled to the sum 1. Samples without a picture get the
    classes' frequencies in training.
    """
    present = np.flatnonzero(pooled.present("visual"))
    arrays = pooled.sequences["visual"]
    result = {t.name: majority(t, pooled.targets[t.name], pooled.split) for t in tasks}
    if not len(present):
        return result
    pictures = np.concatenate([np.asarray(arrays[int(row)])[:1] for row in present])
    ends = np.cumsum([len(task.classes) for task in tasks])
    by_task = np.split(space.logits(pictures), ends[:-1], axis=1)
    for task, logits in zip(tasks, by_task, strict=True):
        result[task.name][present] = _probabilities(task, logits, space.sigmoid)
    return result


def _probabilities(task: Task, logits: np.ndarray, sigmoid: bool) -> np.ndarray:
    if not sigmoid:
        return np.asarray(softmax(logits, axis=1))
    if task.head == "sigmoid":
        positive = 1 / (1 + np.exp(-logits[:, 1]))
        return np.stack([1 - positive, positive], axis=1)
    logs = -np.logaddexp(0, -logits)  # of the sigmoid; its values may be far below 1e-10
    return np.asarray(softmax(logs, axis=1))
