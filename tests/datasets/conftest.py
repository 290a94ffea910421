"""Raw folders of both data sets, tiny and written by hand."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from pipeline.datasets.annotations import COLUMNS

Row = dict[str, str]


@pytest.fixture
def tweet() -> Callable[..., Row]:
    def make(number: int, photo: int = 0, **values: str) -> Row:
        """One annotation row, as unlike the others as a number can make it."""
        identity = f"{90000 + number}_{photo}"
        row = dict.fromkeys(COLUMNS, "nan")
        row |= {
            "tweet_id": str(90000 + number),
            "image_id": identity,
            "text_info": "informative",
            "image_info": "informative",
            "text_human": "other_relevant_information",
            "image_human": "other_relevant_information",
            "tweet_text": f"message {number} of its own",
            "image_url": f"http://example.org/{identity}.jpg",
            "image_path": f"data_image/flood/1_1_2017/{identity}.jpg",
        }
        assert set(values) <= set(row)
        return row | values

    return make


@pytest.fixture
def write_annotations(tmp_path: Path) -> Callable[..., Path]:
    def write(
        rows: Sequence[Row],
        event: str = "flood",
        columns: Sequence[str] = COLUMNS,
        end: str = "\n",
        encoding: str = "utf-8",
    ) -> Path:
        """Write one event's file; returns the raw folder."""
        file = tmp_path / "raw" / "annotations" / f"{event}_final_data.tsv"
        file.parent.mkdir(parents=True, exist_ok=True)
        lines = ["\t".join(columns), *("\t".join(row[c] for c in columns) for row in rows)]
        file.write_bytes("".join(line + end for line in lines).encode(encoding))
        return tmp_path / "raw"

    return write


@pytest.fixture
def write_photo() -> Callable[[Path, Row, bytes], None]:
    def write(raw: Path, row: Row, contents: bytes) -> None:
        path = raw / row["image_path"]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(contents)

    return write
