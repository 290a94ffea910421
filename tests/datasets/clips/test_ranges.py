"""A remote file that is read in pieces reads as a local one would."""

from __future__ import annotations

import io
import random
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.datasets.clips.ranges import PIECE, Piece, RangedFile

DATA = random.Random(0).randbytes(3 * PIECE + 1000)
MOVES = st.tuples(
    st.sampled_from(["set", "cur", "end", "read"]), st.integers(-2 * PIECE, len(DATA) + 100)
)


def remote(requests: list[tuple[int, int]], data: bytes = DATA) -> RangedFile:
    def request(first: int, last: int) -> Piece:
        requests.append((first, last))
        return Piece(data[first : last + 1], len(data))

    return RangedFile(request)


@settings(max_examples=50)
@given(moves=st.lists(MOVES, max_size=20), size=st.sampled_from([1, 1000, PIECE, len(DATA)]))
def test_it_reads_as_the_file_would(moves: list[tuple[str, int]], size: int) -> None:
    file, expected = remote([], DATA[:size]), io.BytesIO(DATA[:size])
    for act, number in moves:
        if act == "read":
            data = file.read(number)
            assert expected.read(len(data)) == data
            assert data or number == 0 or expected.read(1) == b""
        else:
            whence = {"set": io.SEEK_SET, "cur": io.SEEK_CUR, "end": io.SEEK_END}[act]
            offset = max(number, 0) if act == "set" else number
            assert file.seek(offset, whence) == expected.seek(offset, whence)
        assert file.tell() == expected.tell()


def test_a_piece_is_requested_once_and_ends_with_the_file() -> None:
    requests: list[tuple[int, int]] = []
    file = remote(requests)
    for _ in range(3):
        file.seek(0)
        while file.read(PIECE):
            pass
    file.seek(-5, io.SEEK_END)
    assert file.read(10) == DATA[-5:]
    borders = [0, PIECE, 2 * PIECE, 3 * PIECE, len(DATA)]
    assert requests == [(first, after - 1) for first, after in pairwise(borders)]
