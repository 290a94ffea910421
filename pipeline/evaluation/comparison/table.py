"""All runs of a comparison as one table: means, deviations, paired differences with intervals."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.stats import t as student

from pipeline.evaluation.comparison.rows import Result
from pipeline.evaluation.scores import LABEL_SCORES

CONFIDENCE = 0.95
TITLES = {
    "map": "MAP",
    "macro_f1": "macro-F1",
    "micro_f1": "micro-F1",
    "hamming_loss": "Hamming loss",
}


class Interval(NamedTuple):
    """A mean over seeds and the ends of its t-interval, NaN with fewer than two seeds."""

    mean: float
    low: float
    high: float


def t_interval(values: np.ndarray) -> Interval:
    """Return mean -+ t(0.975, n - 1) sd / sqrt(n) of one value a seed [n]."""
    mean = float(np.mean(values))
    if len(values) < 2:
        return Interval(mean, np.nan, np.nan)
    error = np.std(values, ddof=1) / np.sqrt(len(values))
    reach = float(student.ppf((1 + CONFIDENCE) / 2, len(values) - 1) * error)
    return Interval(mean, mean - reach, mean + reach)


def comparison_table(results: Sequence[Result], reference: str) -> pd.DataFrame:
    """Aggregate to one line a row, best mean MAP first.

    For each score: `<score>`, its `_sd` over seeds, `_low` and `_high` of its mean, and
    `_difference`, `_difference_low` and `_difference_high` of `reference` minus the row, paired by
    seed. `seconds` and `parameters` are means.
    """
    runs = pd.DataFrame(results)
    wide = {score: runs.pivot(index="row", columns="seed", values=score) for score in LABEL_SCORES}
    lines = []
    for row, of_row in runs.groupby("row", sort=False):
        line: dict[str, object] = {"row": row, "seeds": len(of_row)}
        for score, values in wide.items():
            own = values.loc[row].to_numpy(float)
            paired = values.loc[reference].to_numpy(float) - own
            line |= _columns(score, t_interval(own))
            line[f"{score}_sd"] = float(np.std(own, ddof=1)) if len(own) > 1 else np.nan
            line |= _columns(f"{score}_difference", t_interval(paired))
        line |= {name: of_row[name].mean() for name in ("parameters", "seconds")}
        lines.append(line)
    return pd.DataFrame(lines).sort_values("map", ascending=False, kind="stable")


def _columns(name: str, interval: Interval) -> dict[str, object]:
    return {name: interval.mean, f"{name}_low": interval.low, f"{name}_high": interval.high}


def markdown(table: pd.DataFrame, title: str, notes: Sequence[str], reference: str) -> str:
    """Lay the table out for people: mean ± sd, and below the score the paired difference."""
    names = [TITLES[score] for score in LABEL_SCORES]
    header = ["row"]
    for name in names:
        header += [name, "difference"]
    header += ["parameters", "seconds"]
    lines = [
        f"# {title}",
        "",
        f"Difference: {reference} minus the row, with its 95 % interval.",
        "",
    ]
    lines += ["| " + " | ".join(header) + " |", "|---" + "|---:" * (len(header) - 1) + "|"]
    lines += ["| " + " | ".join(_cells(line, reference)) + " |" for _, line in table.iterrows()]
    return "\n".join([*lines, "", *(f"- {note}" for note in notes), ""])


def _cells(line: pd.Series, reference: str) -> list[str]:
    row = str(line["row"])
    cells = [f"**{row}**" if row == reference else row]
    for score in LABEL_SCORES:
        cells += [_with_sd(line, score), _difference(line, score) if row != reference else ""]
    return [*cells, f"{line['parameters']:,.0f}", f"{line['seconds']:.1f}"]


def _with_sd(line: pd.Series, score: str) -> str:
    told = f"{line[score]:.3f}"
    return told if np.isnan(line[f"{score}_sd"]) else f"{told} ± {line[f'{score}_sd']:.3f}"


def _difference(line: pd.Series, score: str) -> str:
    name = f"{score}_difference"
    told = f"{line[name]:+.3f}"
    if np.isnan(line[f"{name}_low"]):
        return told
    return f"{told} [{line[f'{name}_low']:+.3f}, {line[f'{name}_high']:+.3f}]"
