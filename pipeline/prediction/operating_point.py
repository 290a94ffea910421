"""An operating point: the threshold for a recall on the validation rows, and its interval."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from scipy.stats import beta

from pipeline.evaluation.model_folder import Decisions

# With fewer positive validation rows the interval says next to nothing.
FEWEST = 20
CONFIDENCE = 0.95


def at_recall(decisions: Decisions, recall: float) -> Decisions:
    """Return decisions with the highest thresholds that reach this recall on validation.

    Yes-or-no tasks with too few positive validation rows, and tasks of several classes, keep their
    own. Raises ValueError for a recall outside (0, 1], and if no task has enough positive rows.
    """
    if not 0 < recall <= 1:
        raise ValueError(f"--recall is {recall}; allowed: above 0, at most 1")
    chosen = {}
    for name, task in decisions.tasks.items():
        if len(task.positives) >= FEWEST:
            chosen[name] = task.model_copy(update={"threshold": threshold(task.positives, recall)})
    if not chosen:
        counts = ", ".join(
            f"{name} {len(task.positives)}" for name, task in decisions.tasks.items()
        )
        raise ValueError(
            f"--recall needs {FEWEST} positive validation rows of a yes-or-no task; it has {counts}"
        )
    return decisions.model_copy(update={"tasks": {**decisions.tasks, **chosen}})


def threshold(positives: Sequence[float], recall: float) -> float:
    """Return the score that this share of the positives, sorted from high to low, reaches."""
    return positives[math.ceil(recall * len(positives)) - 1]


def recall_interval(positives: Sequence[float], limit: float) -> tuple[float, float, float]:
    """Return the recall at a threshold with its 95 % interval (Clopper and Pearson 1934)."""
    count, hits = len(positives), sum(score >= limit for score in positives)
    tail = (1 - CONFIDENCE) / 2
    low = float(beta.ppf(tail, hits, count - hits + 1)) if hits else 0.0
    high = float(beta.ppf(1 - tail, hits + 1, count - hits)) if hits < count else 1.0
    return hits / count, low, high


def promises(decisions: Decisions) -> Iterator[str]:
    """Yield a line for each task: its threshold with the recall, or why it keeps its own."""
    for name, task in decisions.tasks.items():
        count = len(task.positives)
        if count < FEWEST:
            kept = (
                f"{count} positive validation rows" if count else "several classes, or no positive"
            )
            yield f"{name}: keeps its own decision ({kept})"
            continue
        recall, low, high = recall_interval(task.positives, task.threshold)
        yield (
            f"{name}: threshold {task.threshold:.3f}, recall {recall:.2f} "
            f"[{low:.2f}, {high:.2f}] on {count} positive validation rows"
        )
