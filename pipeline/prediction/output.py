"""Files of predictions, written row by row; one that is not finished never appears."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pandas as pd

from pipeline.ground.csv_tables import csv_lines
from pipeline.ground.temporaries import written_whole
from pipeline.inputs.parquet import table_writer

Write = Callable[[pd.DataFrame], None]


def prediction_file(path: Path) -> AbstractContextManager[Write]:
    """Return a context that yields a function which appends rows to a .parquet, .csv or .jsonl.

    The file appears when the block ends without an error. In a CSV no text is a formula. Raises
    ValueError for another suffix, and for a folder.
    """
    writers = {".parquet": table_writer, ".csv": _csv_writer, ".jsonl": _json_writer}
    if path.suffix not in writers or path.is_dir():
        raise ValueError(f"--out is {str(path)!r}; allowed: a file of {', '.join(writers)}")
    return writers[path.suffix](path)


@contextmanager
def _csv_writer(path: Path) -> Iterator[Write]:
    with (
        written_whole(path) as temporary,
        temporary.open("w", encoding="utf-8", newline="") as file,
    ):

        def write(table: pd.DataFrame) -> None:
            file.write(csv_lines(table, header=not file.tell()))

        yield write


@contextmanager
def _json_writer(path: Path) -> Iterator[Write]:
    with written_whole(path) as temporary, temporary.open("w", encoding="utf-8") as file:
        yield lambda table: file.writelines(json_lines(table))


def json_lines(table: pd.DataFrame) -> Iterator[str]:
    """Yield a line of JSON for each row; a missing value is null."""
    for row in table.astype(object).where(table.notna(), None).to_dict("records"):
        yield json.dumps(row, ensure_ascii=False, allow_nan=False) + "\n"
