"""A Parquet table is read as it was written, or not at all."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pipeline.inputs.parquet import read_table, write_table

LABELS = pd.Series([1, None, 0, 2] * 50, dtype="Int64")
TABLES = {
    "index": pd.DataFrame(
        {
            "id": pd.Series([f"{row:03}" for row in range(200)], dtype="string"),
            "text": pd.Series(["flood", None, "дождь 🌧", ""] * 50, dtype="string"),
            "start": pd.Series([0.5, None] * 100, dtype="Float64"),
            "damage": LABELS,
        }
    ),
    "probabilities": pd.DataFrame(
        np.random.default_rng(0).random((50, 4)), columns=["a.p.x", "a.p.y", "ü.p.0", "ü.p.1"]
    ),
    "empty": pd.DataFrame({"id": pd.Series([], dtype="string")}),
    "the marker itself": pd.DataFrame({"id": ["sha256 with these digits zero: " + "0" * 64] * 3}),
}


@pytest.mark.parametrize("table", TABLES.values(), ids=TABLES)
def test_a_table_is_read_with_values_and_types_as_written(
    tmp_path: Path, table: pd.DataFrame
) -> None:
    path = tmp_path / "new folder" / "table.parquet"
    write_table(path, table)
    pd.testing.assert_frame_equal(read_table(path), pd.read_parquet(path))
    pd.testing.assert_frame_equal(read_table(path), table, check_dtype=False)
    assert [file.name for file in path.parent.iterdir()] == ["table.parquet"]
    first = path.read_bytes()
    write_table(path, table.copy())
    assert path.read_bytes() == first


@pytest.mark.parametrize("content", [b"", b"PAR1", "another writer", "cut", "longer"])
def test_what_no_stage_wrote_whole_is_an_error(tmp_path: Path, content: str | bytes) -> None:
    path = tmp_path / "table.parquet"
    write_table(path, TABLES["index"])
    whole = path.read_bytes()
    if content == "another writer":
        TABLES["index"].to_parquet(path)
    else:
        changed = {"cut": whole[:-1], "longer": whole + b"\0"}
        path.write_bytes(content if isinstance(content, bytes) else changed[content])
    with pytest.raises(ValueError, match="damaged, or not written by a stage"):
        read_table(path)
