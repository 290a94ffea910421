"""Train the cells of the paper's tables on one data set."""

from __future__ import annotations

from pipeline.evaluation.comparison.tuning import load_table_params, train_cells
from pipeline.ground.command import run
from pipeline.ground.data_set import data_set
from pipeline.params import load_params


def cells(name: str) -> None:
    """Train the missing cells of tables/<set>: trials of learning rates, then all seeds."""
    train_cells(data_set(name), load_params(), load_table_params())


if __name__ == "__main__":
    run(cells)
