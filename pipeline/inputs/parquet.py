"""Parquet tables that carry a digest of the whole file, which is checked before they are read.

Parquet's own checksums cover the data pages alone: a flipped bit in the footer can still change
values silently.
"""

from __future__ import annotations

import hashlib
import io
import mmap
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.ground.temporaries import written_whole

_MARKER = b"sha256 with these digits zero: "
_ZEROS = b"0" * 64
# Rows that are compressed together: the bytes of a file do not depend on how its rows arrived.
ROWS = 2048


def write_table(path: Path, table: pd.DataFrame) -> None:
    """Write a table without its index; the file's metadata hold its SHA-256."""
    with table_writer(path) as write:
        write(table)


@contextmanager
def table_writer(path: Path) -> Iterator[Callable[[pd.DataFrame], None]]:
    """Yield a function that appends the rows of a table; the file is there when the block ends.

    All tables have the columns and types of the first. `ROWS` rows are held in memory.
    """
    with written_whole(path) as temporary:
        rows = _Rows(temporary)
        yield rows.append
        rows.close()
        with temporary.open("r+b") as file, mmap.mmap(file.fileno(), 0) as data:
            start = data.rfind(_MARKER) + len(_MARKER)
            # Replaced while the digits are zero.
            data[start : start + len(_ZEROS)] = hashlib.sha256(data).hexdigest().encode()


class _Rows:
    """Rows on their way to a file, in groups of one size."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._waiting: pa.Table | None = None
        self._writer: pq.ParquetWriter | None = None

    def append(self, table: pd.DataFrame) -> None:
        """Add rows, and write the groups that are full."""
        schema = None if self._waiting is None else self._waiting.schema
        arrow = pa.Table.from_pandas(table, schema=schema, preserve_index=False)
        if self._waiting is not None:
            arrow = pa.concat_tables([self._waiting, arrow])
        self._writer = self._writer or pq.ParquetWriter(self._path, arrow.schema)
        whole = len(arrow) // ROWS * ROWS
        if whole:
            self._writer.write_table(arrow.slice(0, whole), row_group_size=ROWS)
        self._waiting = arrow.slice(whole)

    def close(self) -> None:
        """Write the last group and the footer."""
        assert self._writer
        assert self._waiting is not None
        if len(self._waiting):
            self._writer.write_table(self._waiting, row_group_size=ROWS)
        self._writer.add_key_value_metadata({"hgfn": (_MARKER + _ZEROS).decode()})
        self._writer.close()


def read_table(path: Path) -> pd.DataFrame:
    """Read a table that `write_table` wrote.

    Raises ValueError naming the file if a byte of it has changed, or if it carries no digest.
    """
    data = path.read_bytes()
    # The footer is the last thing in the file: an earlier marker would be a value of the table.
    before, marker, rest = data.rpartition(_MARKER)
    digest, after = rest[: len(_ZEROS)], rest[len(_ZEROS) :]
    if digest.decode("latin-1") != hashlib.sha256(before + marker + _ZEROS + after).hexdigest():
        raise ValueError(
            f"{path}: damaged, or not written by a stage (its SHA-256 differs); "
            "delete it, then run `dvc repro`"
        )
    return pd.read_parquet(io.BytesIO(data))
