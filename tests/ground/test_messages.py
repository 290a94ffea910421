"""Messages are safe for a terminal, and end the program quietly where nothing reads them."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.ground.messages import echo

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    ("text", "printed"),
    [
        ("\x1b]0;title\x07\x1b[31mred", r"\x1b]0;title\x07\x1b[31mred"),
        ("\x9b2J\x7f a\rb", r"\x9b2J\x7f a\x0db"),
        ("gpj.\u202eexe \u2066x\u2069 \u2028", r"gpj.\u202eexe \u2066x\u2069 \u2028"),
        ("not UTF-8: \udcff", r"not UTF-8: \udcff"),
        ("two\nlines,\ta tab", "two\nlines,\ta tab"),
        *[(word, word) for word in ("洪水 é", "बाढ़", "मी\u200cकर", "👩\u200d👧", "C:\\x1b")],
    ],
)
def test_a_control_character_is_printed_as_its_escape(
    capsys: pytest.CaptureFixture[str], text: str, printed: str
) -> None:
    echo(text)
    echo(text, err=True)
    output = capsys.readouterr()
    assert output.out == output.err == f"{printed}\n"


def test_every_message_goes_through_echo() -> None:
    printing = re.compile(r"typer\.s?echo|click\.s?echo|\bprint\(|std(?:out|err)\.write")
    modules = [*ROOT.glob("pipeline/**/*.py"), *ROOT.glob("stages/*.py")]
    own = [p.relative_to(ROOT).as_posix() for p in modules if printing.search(p.read_text())]
    assert own == ["pipeline/ground/messages.py"]


HGFN = "from pipeline.cli import app; app()"
STAGE = """
from pipeline.ground.command import run
from pipeline.ground.messages import echo
run(lambda: echo("done"))
"""


@pytest.mark.parametrize("command", [[HGFN, "--help"], [HGFN, "cache"], [STAGE]])
def test_a_closed_pipe_ends_a_command_quietly(command: list[str]) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer) as stdout:
        done = subprocess.run(
            [sys.executable, "-c", *command],
            cwd=ROOT,
            stdout=stdout,
            stderr=subprocess.PIPE,
            text=True,
        )
    assert (done.returncode, done.stderr) == (1, "")
