"""What a user's table says never steers the terminal."""

from __future__ import annotations

import re
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
