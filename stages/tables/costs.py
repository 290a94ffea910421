"""What each row costs: parameters, epochs, training time. Its times differ from run to run."""

from __future__ import annotations

import pandas as pd
import typer

from pipeline.evaluation.table_text import grid
from pipeline.evaluation.tables import REFERENCE, row_title
from pipeline.ground.command import run
from pipeline.ground.data_set import SETS
from stages.tables import files
from stages.tables.knobs import load_knobs


def costs() -> None:
    """Write costs.md and costs.csv."""
    knobs = load_knobs()
    lines = [
        {"set": name, "row": row, "seed": place.seed, **_cell(place)}
        for name in SETS
        for row in knobs.rows
        for place in knobs.places(name, row)
    ]
    cells = pd.DataFrame(lines)
    files.RESULTS.mkdir(parents=True, exist_ok=True)
    cells.to_csv(files.RESULTS / "costs.csv", index=False, lineterminator="\n")
    (files.RESULTS / "costs.md").write_text(_markdown(cells))
    typer.echo(f"{len(cells)} cells, {cells['seconds'].sum():.0f} s of training")


def _cell(place: files.Place) -> dict[str, float]:
    facts = files.read_json(place.facts)
    return {
        "parameters": facts["parameters"],
        "epochs": facts["epochs"],
        **files.read_json(place.timing),
    }


def _markdown(cells: pd.DataFrame) -> str:
    parts = ["# What the rows cost"]
    for name, of_set in cells.groupby("set", sort=False):
        rates = {
            row: of_row["seconds"].sum() / of_row["epochs"].sum()
            for row, of_row in of_set.groupby("row", sort=False)
        }
        reference = rates.get(REFERENCE, next(iter(rates.values())))
        lines = [
            [
                row_title(str(row)),
                f"{of_row['parameters'].iloc[0]:,}",
                f"{of_row['epochs'].mean():.1f}",
                f"{of_row['seconds'].mean():.1f} ± {of_row['seconds'].std():.1f}",
                f"{rates[row] / reference:.2f}",
            ]
            for row, of_row in of_set.groupby("row", sort=False)
        ]
        header = ["Method", "parameters", "epochs", "seconds", "time of an epoch"]
        parts += [f"## {name}", grid(header, lines)]
    parts.append(
        "Mean ± standard deviation over the seeds; the processor's seconds of training on one "
        "thread, early stopping included. The time of an epoch is relative to the first row's."
    )
    return "\n\n".join(parts) + "\n"


if __name__ == "__main__":
    run(costs)
