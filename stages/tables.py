"""Write the paper's tables from the cells of both data sets."""

from __future__ import annotations

from pipeline.evaluation.comparison.tables import write_tables
from pipeline.evaluation.comparison.tuning import load_table_params
from pipeline.ground.command import run
from pipeline.params import load_params


def tables() -> None:
    """Write Tables I-V, the costs and the trials into tables/results."""
    write_tables(load_params(), load_table_params())


if __name__ == "__main__":
    run(tables)
