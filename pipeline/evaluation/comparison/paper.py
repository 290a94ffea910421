"""Tables I-V of Wang and Chen's paper: their columns, and the numbers printed in them.

They are printed beside ours for comparison only: they cannot all come from one set of metrics, see
docs/methods.md and `test_paper_tables.py`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pipeline.evaluation.comparison.estimates import MEAN
from pipeline.evaluation.comparison.report import Column

SCORES = ("f1", "hl", "map")
# The concepts of the clips, not exclusive of each other, in the order of Table V; a data set may
# have others.
CONCEPTS = (
    "demonstration",
    "emergency_response",
    "flood_storm",
    "human_relief",
    "damage",
    "victim",
    "briefing",
)

# Row -> F1, HL, MAP.
INFORMATIVE = {
    "cfc_lsew": (0.623, 0.237, 0.587),
    "matf_lsew": (0.774, 0.151, 0.738),
    "gfn_lsew": (0.813, 0.104, 0.762),
    "hgfn_lsew": (0.839, 0.097, 0.794),
    "cfc_moo": (0.685, 0.202, 0.638),
    "cfc_mtinet": (0.673, 0.214, 0.625),
    "cfc_dmtl": (0.736, 0.164, 0.709),
    "hgfn_dmtl": (0.862, 0.041, 0.825),
}
HUMANITARIAN = {
    "cfc_lsew": (0.527, 0.293, 0.496),
    "matf_lsew": (0.681, 0.207, 0.649),
    "gfn_lsew": (0.677, 0.209, 0.642),
    "hgfn_lsew": (0.712, 0.181, 0.695),
    "cfc_moo": (0.603, 0.246, 0.571),
    "cfc_mtinet": (0.614, 0.237, 0.588),
    "cfc_dmtl": (0.686, 0.194, 0.660),
    "hgfn_dmtl": (0.762, 0.153, 0.749),
}
DAMAGE = {
    "cfc_lsew": (0.634, 0.229, 0.607),
    "matf_lsew": (0.781, 0.148, 0.745),
    "gfn_lsew": (0.819, 0.117, 0.793),
    "hgfn_lsew": (0.852, 0.080, 0.839),
    "cfc_moo": (0.693, 0.181, 0.664),
    "cfc_mtinet": (0.688, 0.186, 0.650),
    "cfc_dmtl": (0.746, 0.149, 0.715),
    "hgfn_dmtl": (0.913, 0.029, 0.897),
}
YOUTUBE = {
    "cfc_lsew": (0.769, 0.157, 0.722),
    "matf_lsew": (0.865, 0.053, 0.818),
    "gfn_lsew": (0.889, 0.041, 0.805),
    "hgfn_lsew": (0.931, 0.024, 0.890),
    "cfc_moo": (0.874, 0.040, 0.828),
    "cfc_mtinet": (0.882, 0.035, 0.831),
    "cfc_dmtl": (0.922, 0.027, 0.904),
    "hgfn_dmtl": (0.987, 0.011, 0.958),
}
# Row -> accuracy of each concept.
YOUTUBE_ACCURACY = {
    "cfc_lsew": (0.823, 0.812, 0.866, 0.829, 0.787, 0.780, 0.875),
    "matf_lsew": (0.853, 0.841, 0.897, 0.854, 0.811, 0.804, 0.905),
    "gfn_lsew": (0.866, 0.851, 0.902, 0.865, 0.831, 0.824, 0.880),
    "hgfn_lsew": (0.914, 0.909, 0.960, 0.927, 0.913, 0.895, 0.923),
    "cfc_moo": (0.841, 0.835, 0.887, 0.853, 0.819, 0.804, 0.890),
    "cfc_mtinet": (0.866, 0.852, 0.875, 0.841, 0.833, 0.812, 0.906),
    "cfc_dmtl": (0.933, 0.908, 0.932, 0.931, 0.942, 0.903, 0.915),
    "hgfn_dmtl": (0.955, 0.971, 0.989, 0.973, 0.952, 0.917, 0.982),
}


@dataclass(frozen=True)
class PaperTable:
    """One of the paper's tables: its number, title and columns."""

    number: int
    title: str
    columns: tuple[Column, ...]


def tables_of(data: str, tasks: Sequence[str]) -> list[PaperTable]:
    """List the tables of a data set with these tasks; other tasks have no table."""
    if data == "youtube":
        means = PaperTable(4, "Table IV: Means over the concepts", _scores(MEAN, YOUTUBE))
        # The paper's concepts in its order, then those that only these data have.
        concepts = [c for c in CONCEPTS if c in tasks] + [t for t in tasks if t not in CONCEPTS]
        accuracies = tuple(_accuracy(concept) for concept in concepts)
        return [means, PaperTable(5, "Table V: Accuracy by concept", accuracies)]
    tables = {
        "informative": (1, "Table I: Data informative", INFORMATIVE),
        "humanitarian": (2, "Table II: Humanitarian category", HUMANITARIAN),
        "damage": (3, "Table III: Damage level", DAMAGE),
    }
    return [
        PaperTable(number, title, _scores(task, printed))
        for task, (number, title, printed) in tables.items()
        if task in tasks
    ]


def _scores(task: str, printed: Mapping[str, Sequence[float]]) -> tuple[Column, ...]:
    return tuple(
        Column(task, score, score.upper(), {row: values[i] for row, values in printed.items()})
        for i, score in enumerate(SCORES)
    )


def _accuracy(concept: str) -> Column:
    printed = {}
    if concept in CONCEPTS:
        place = CONCEPTS.index(concept)
        printed = {row: values[place] for row, values in YOUTUBE_ACCURACY.items()}
    return Column(concept, "accuracy", concept.replace("_", " "), printed)
