"""comparison.md, comparison.csv and comparison.png: what a comparison leaves for its reader."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from pipeline.datasets.views import Views
from pipeline.evaluation.baselines import STRENGTHS
from pipeline.evaluation.comparison.figure import draw_comparison
from pipeline.evaluation.comparison.rows import Recipe, Result
from pipeline.evaluation.comparison.table import comparison_table, markdown


def write_report(
    out: Path, name: str, views: Views, results: Sequence[Result], recipe: Recipe, reference: str
) -> pd.DataFrame:
    """Write the three files into `out` and return the table."""
    table = comparison_table(results, reference)
    seeds = int(table["seeds"].iloc[0])
    title = f"{name}: {_size(views)}"
    out.mkdir(parents=True, exist_ok=True)
    table.to_csv(out / "comparison.csv", index=False, lineterminator="\n")
    text = markdown(table, title, _notes(views, recipe, seeds), reference)
    (out / "comparison.md").write_text(text, encoding="utf-8")
    draw_comparison(out / "comparison.png", table, title, reference)
    return table


def _size(views: Views) -> str:
    rows, labels = views.labels.shape
    widths = ", ".join(f"{name} {v.shape[1]}" for name, v in views.features.items())
    return f"{rows:,} rows, {labels} labels, views {widths}"


def _notes(views: Views, recipe: Recipe, seeds: int) -> list[str]:
    count = "1 seed" if seeds == 1 else f"{seeds} seeds"
    split = (
        f"{count}, each with its own 60/20/20 split (whole groups, stratified by all labels) and "
        "its own initialisation."
        if views.split is None
        else f"{count} of initialisation on the file's one split: intervals do not say how much "
        "another split would change."
    )
    return [
        f"{split} The ± is the standard deviation over seeds.",
        "MAP: mean average precision over the labels with a positive in test. F1: each label "
        "decided at its best threshold on validation. Hamming loss: decided at 0.5.",
        f"Every network has the same settings, one trial each: learning rate "
        f"{recipe.learning_rate:g}, batch {recipe.batch_size}, width {recipe.width}, dropout "
        f"{recipe.dropout:g}, weight decay {recipe.weight_decay:g}, at most {recipe.max_epochs} "
        f"epochs and the best on validation (patience {recipe.patience}); DMTL with alpha "
        f"{recipe.alpha:g}, beta {recipe.beta:g}.",
        f"Logistic regression takes the best of {len(STRENGTHS)} penalties by mean MAP on "
        "validation; an absent view counts as the training mean. Its trials are more than the "
        "networks', so the comparison does not favour them.",
        "Intervals are t-intervals over seeds. Test sets of different seeds overlap, and the rows "
        "are many: an interval that just misses 0 is no proof.",
    ]
