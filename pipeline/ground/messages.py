"""Messages to the terminal, in which texts from outside can do no harm."""

from __future__ import annotations

import os
import re
import sys

import typer

# Control characters but tab and line feed, line separators, changes of the direction of writing,
# and surrogates, which cannot be encoded.
UNSAFE = r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
_UNSAFE = re.compile(UNSAFE)


def echo(message: str, err: bool = False) -> None:
    """Print a message; unsafe characters appear as escapes such as `\\x1b` or `\\u202e`.

    Ends the program with exit code 1 if nothing reads its output any more, as after `| head`.
    """
    try:
        typer.echo(_UNSAFE.sub(escape, message), err=err)
    except BrokenPipeError:
        # Python flushes stdout once more when it exits, and would report the same error.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(1) from None


def escape(match: re.Match[str]) -> str:
    """Write the matched character as Python's escape."""
    code = ord(match[0])
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"
