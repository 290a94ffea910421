from __future__ import annotations

import io
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.datasets.clips import ranged
from pipeline.datasets.clips.ranged import Part, RangedFile

DATA = random.Random(0).randbytes(1000)
MOVES = st.tuples(st.sampled_from(["set", "cur", "end", "read"]), st.integers(-50, 1100))


def remote(asked: list[tuple[int, int]], data: bytes = DATA) -> RangedFile:
    def ask(first: int, last: int) -> Part:
        asked.append((first, last))
        return Part(data[first : last + 1], len(data))

    return RangedFile(ask)


@given(moves=st.lists(MOVES, max_size=20), piece=st.integers(1, 1200))
def test_it_reads_as_the_file_would(moves: list[tuple[str, int]], piece: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ranged, "PIECE", piece)
        found, expected = remote([]), io.BytesIO(DATA)
        for act, number in moves:
            if act == "read":
                part = found.read(number)
                assert expected.read(len(part)) == part
                assert part or number == 0 or expected.read(1) == b""
            else:
                whence = {"set": io.SEEK_SET, "cur": io.SEEK_CUR, "end": io.SEEK_END}[act]
                offset = max(number, 0) if act == "set" else number
                assert found.seek(offset, whence) == expected.seek(offset, whence)
            assert found.tell() == expected.tell()


def test_a_piece_is_asked_for_once_and_few_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ranged, "PIECE", 10)
    asked: list[tuple[int, int]] = []
    file = remote(asked)
    for _ in range(3):
        file.seek(0)
        assert file.read(10) == DATA[:10]
    assert asked == [(0, 9)]
    file.seek(0)
    while file.read(10):
        pass
    assert asked == [(first, first + 9) for first in range(0, 1000, 10)]
    assert len(file._pieces) == ranged.KEPT


def test_the_last_piece_ends_with_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ranged, "PIECE", 600)
    asked: list[tuple[int, int]] = []
    remote(asked).seek(900)
    file = remote(asked)
    file.seek(-5, io.SEEK_END)
    assert file.read(10) == DATA[-5:]
    assert asked[-1] == (600, 999)
