from __future__ import annotations

import pytest

from pipeline.ground.progress import progress


def test_it_is_silent_where_there_is_no_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable in ("FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
        monkeypatch.delenv(variable, raising=False)
    with progress("frames", 2) as advance:
        advance()
        advance()
    assert capsys.readouterr() == ("", "")


def test_it_counts_on_a_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    with progress("frames", 2) as advance:
        advance()
        advance()
    out, err = capsys.readouterr()
    assert out == ""  # what a stage tells stays alone on stdout
    assert "frames" in err
    assert "2/2" in err
