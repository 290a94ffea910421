"""A digest of source code that comments, layout and the version of Python leave alone."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from tokenize import generate_tokens, tok_name

_PACKAGE = Path(__file__).resolve().parents[1]
_IGNORED = {"COMMENT", "NL", "ENDMARKER"}
_BLOCKS = {"NEWLINE", "INDENT", "DEDENT"}


@cache
def code_digest(names: tuple[str, ...]) -> str:
    """Digest the files and folders of these names below `pipeline/`."""
    digest = hashlib.sha256()
    for name in names:
        path = _PACKAGE / name
        for file in sorted(path.rglob("*.py")) if path.is_dir() else [path]:
            digest.update(f"{file.relative_to(_PACKAGE).as_posix()}\n".encode())
            for token in tokens(file.read_text(encoding="utf-8")):
                digest.update(f"{len(token)} {token}\n".encode())
    return digest.hexdigest()


def tokens(source: str) -> Iterator[str]:
    """Yield the tokens of code without comments, line breaks within a statement and widths."""
    lines = io.StringIO(source).readlines()
    depth, start = 0, (0, 0)
    for token in generate_tokens(iter(lines).__next__):
        kind = tok_name[token.type]
        # Python 3.12 splits an f-string into tokens, 3.11 does not: it is taken as it is written.
        if kind == "FSTRING_START":
            start = start if depth else token.start
            depth += 1
        elif kind == "FSTRING_END":
            depth -= 1
            if not depth:
                yield _between(lines, start, token.end)
        elif kind in _BLOCKS and not depth:
            yield kind
        elif kind not in _IGNORED and not depth:
            yield token.string


def _between(lines: list[str], start: tuple[int, int], end: tuple[int, int]) -> str:
    rows = lines[start[0] - 1 : end[0]]
    rows[-1] = rows[-1][: end[1]]
    rows[0] = rows[0][start[1] :]
    return "".join(rows)
