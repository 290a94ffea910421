"""Parquet tables that carry a digest of the whole file, which is checked before they are read.

Parquet's own checksums cover the data pages alone: a flipped bit in the footer can still change
values silently.
"""

from __future__ import annotations

import hashlib
import io
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.ground.temporaries import write_bytes

_MARKER = b"sha256 with these digits zero: "
_ZEROS = b"0" * 64


def write_table(path: Path, table: pd.DataFrame) -> None:
    """Write a table without its index; the file's metadata hold its SHA-256."""
    arrow = pa.Table.from_pandas(table, preserve_index=False)
    buffer = io.BytesIO()
    with pq.ParquetWriter(buffer, arrow.schema) as writer:
        writer.write_table(arrow)
        writer.add_key_value_metadata({"hgfn": (_MARKER + _ZEROS).decode()})
    data = buffer.getvalue()
    before, _, after = _around_digest(data)
    write_bytes(path, before + _digest(data) + after)


def read_table(path: Path) -> pd.DataFrame:
    """Read a table that `write_table` wrote.

    Raises ValueError naming the file if a byte of it has changed, or if it carries no digest.
    """
    data = path.read_bytes()
    before, digest, after = _around_digest(data)
    if digest != _digest(before + _ZEROS + after):
        raise ValueError(
            f"{path}: damaged, or not written by a stage (its SHA-256 differs); "
            "delete it, then run `dvc repro`"
        )
    return pd.read_parquet(io.BytesIO(data))


def _around_digest(data: bytes) -> tuple[bytes, bytes, bytes]:
    # The footer is the last thing in the file: an earlier marker would be a value of the table.
    before, marker, rest = data.rpartition(_MARKER)
    return before + marker, rest[: len(_ZEROS)], rest[len(_ZEROS) :]


def _digest(data: bytes) -> bytes:
    return hashlib.sha256(data).hexdigest().encode()
