"""F1, Hamming loss and average precision: the one implementation that every result uses."""

from pipeline.evaluation.scores.metrics import (
    SCORES,
    Scores,
    average_precision,
    f1,
    mean_average_precision,
    mean_of_defined,
    task_scores,
    weighted_scores,
)
from pipeline.evaluation.scores.tasks import (
    LABEL_SCORES,
    label_scores,
    score_tasks,
    select,
    validation_scores,
)
from pipeline.evaluation.scores.thresholds import (
    Arrays,
    best_threshold,
    choose_thresholds,
    decide,
)

__all__ = [
    "LABEL_SCORES",
    "SCORES",
    "Arrays",
    "Scores",
    "average_precision",
    "best_threshold",
    "choose_thresholds",
    "decide",
    "f1",
    "label_scores",
    "mean_average_precision",
    "mean_of_defined",
    "score_tasks",
    "select",
    "task_scores",
    "validation_scores",
    "weighted_scores",
]
