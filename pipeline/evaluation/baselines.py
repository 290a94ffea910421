"""Baselines of a model: the majority class, linear text, and each modality alone."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.dummy import DummyClassifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline, make_union
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from pipeline.evaluation.scores import Arrays, select, unscored, validation_scores
from pipeline.mtl import Task
from pipeline.training.examples import Examples

# Inverse strengths of the L2 penalty, compared on validation; features are standardised.
STRENGTHS = (1e-4, 1e-3, 1e-2, 1e-1, 1.0)


def baseline_probabilities(
    tasks: Sequence[Task], examples: Examples, texts: Sequence[str]
) -> dict[str, dict[str, np.ndarray]]:
    """Predict [n, classes] for all samples, by baseline and task, with models fitted on train.

    `examples` holds one pooled vector per sample and modality; an absent one counts as the mean.
    Baselines are `majority`, `text_linear`, and `single_<modality>` for each modality.
    """
    split, targets = examples.split, examples.targets
    # The last digits of a solution depend on the number of threads.
    with threadpool_limits(1):
        result = {
            "majority": {t.name: majority(t, targets[t.name], split) for t in tasks},
            "text_linear": {t.name: text_linear(t, texts, targets[t.name], split) for t in tasks},
        }
        for name in examples.sequences:
            features = _standardised([name], examples)
            result[f"single_{name}"] = {
                t.name: _best_penalty([t], features, targets, split)[t.name] for t in tasks
            }
    return result


def concatenated_linear(tasks: Sequence[Task], examples: Examples) -> dict[str, np.ndarray]:
    """Predict [n, classes] for all samples by task, from the modalities' concatenated vectors.

    An absent one counts as the training mean. One penalty serves all tasks: with rare labels, one
    penalty per task would be chosen by a few rows.
    """
    with threadpool_limits(1):
        features = _standardised(list(examples.sequences), examples)
        return _best_penalty(tasks, features, examples.targets, examples.split)


def majority(task: Task, truth: np.ndarray, split: np.ndarray) -> np.ndarray:
    """Predict the training frequencies of the classes for every row: [n, classes]."""
    inputs = np.zeros((len(truth), 1))
    return _fit_predict(DummyClassifier(strategy="prior"), task, inputs, truth, split)


def text_linear(
    task: Task, texts: Sequence[str], truth: np.ndarray, split: np.ndarray
) -> np.ndarray:
    """Predict with logistic regression on TF-IDF of words (1-2) and characters (2-5).

    Where no labelled training row has a word, the majority is predicted.
    """
    rows = (split == "train") & (truth >= 0)
    if not any(text.strip() for text, used in zip(texts, rows, strict=True) if used):
        return majority(task, truth, split)
    words = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, token_pattern=r"(?u)\S+")
    characters = TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 5), sublinear_tf=True)
    model = make_pipeline(make_union(words, characters), _logistic(10.0))
    return _fit_predict(model, task, np.array(texts, dtype=object), truth, split)


def _best_penalty(
    tasks: Sequence[Task], features: np.ndarray, targets: Arrays, split: np.ndarray
) -> dict[str, np.ndarray]:
    """Predict with logistic regression, with the penalty of the best mean MAP on validation.

    Where no validation row is positive in any task, that is the middle one.
    """
    candidates = [
        {t.name: _fit_predict(_logistic(c), t, features, targets[t.name], split) for t in tasks}
        for c in STRENGTHS
    ]
    val = np.flatnonzero(split == "val")
    truth = select(targets, val)
    if len(unscored(tasks, truth)) == len(tasks):
        return candidates[len(candidates) // 2]
    quality = [validation_scores(tasks, truth, select(p, val))["mean_map"] for p in candidates]
    return candidates[int(np.argmax(quality))]


def _standardised(modalities: Sequence[str], examples: Examples) -> np.ndarray:
    """Standardise by all training rows, and rotate into their span if that has fewer dimensions.

    Scaling by only the labelled rows would enlarge features that hardly vary among those few. An
    L2 penalty is invariant to rotation: the solution is the same, at a fraction of the cost.
    """
    features = np.concatenate([_filled(examples, name) for name in modalities], axis=1)
    train = examples.split == "train"
    values = StandardScaler().fit(features[train]).transform(features)
    if train.sum() >= features.shape[1]:
        return values
    _, _, axes = np.linalg.svd(values[train], full_matrices=False)
    return values @ axes.T


def _filled(examples: Examples, modality: str) -> np.ndarray:
    arrays, present = examples.sequences[modality], examples.present(modality)
    values = np.zeros((len(arrays), examples.dims[modality]))
    for row in np.flatnonzero(present):
        values[row] = arrays[row].mean(axis=0)
    known = values[present & (examples.split == "train")]
    values[~present] = known.mean(axis=0) if len(known) else 0.0
    return values


def _logistic(strength: float) -> LogisticRegression:
    return LogisticRegression(C=strength, max_iter=1000)


def _fit_predict(
    model: BaseEstimator, task: Task, inputs: np.ndarray, truth: np.ndarray, split: np.ndarray
) -> np.ndarray:
    rows = (split == "train") & (truth >= 0)
    classes = np.unique(truth[rows])
    probabilities = np.zeros((len(truth), len(task.classes)))
    if len(classes) == 1:  # a linear model needs two classes
        probabilities[:, classes] = 1.0
        return probabilities
    with warnings.catch_warnings():
        # A weak penalty may not converge in 1,000 steps; validation then prefers a stronger one.
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(inputs[rows], truth[rows])
    probabilities[:, classes] = model.predict_proba(inputs)
    return probabilities
