"""Write docs/security.md from the attacks that were tried here and ended as they should.

`python tests/attacks/table.py` runs the attacks and writes the page if all passed.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
PAGE = HERE.parents[1] / "docs" / "security.md"
GROUPS = ("HTTP", "Clips", "Archives", "Text", "Media", "Model files")
HEAD = """\
# What is never trusted

Servers, archives, tables, media and model files are read as if somebody had made them to do
harm: nothing in them is executed, nothing is written outside the data folder, no stage sees a
half-written file, time and memory stay bounded. What a video site makes yt-dlp compute is the
exception: docs/youtube.md says what is not guarded there. Each row is a test in `tests/attacks/`
that was run, with the message a user sees; `python tests/attacks/table.py` makes this page from
them.
Braces stand for what differs between runs, such as paths.
"""

Row = tuple[str, str, str]


class Recorder:
    """Collects the marks of the attacks that a run passed, and counts what failed."""

    def __init__(self) -> None:
        self.rows: list[Row] = []
        self.failed = 0

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self.failed += report.failed
        if report.when == "call" and report.passed:
            self.rows += [tuple(row) for key, row in report.user_properties if key == "attack"]


def page(rows: set[Row]) -> str:
    """Lay the rows out, one table a group; raises ValueError for a group that is not known."""
    unknown = sorted({group for group, _, _ in rows} - set(GROUPS))
    if unknown:
        raise ValueError(f"group {unknown[0]!r} of an attack; allowed: {', '.join(GROUPS)}")
    parts = [HEAD]
    for group in GROUPS:
        lines = [f"| {_cell(t)} | {_cell(e)} |" for g, t, e in sorted(rows) if g == group]
        if lines:
            parts.append("\n".join([f"## {group}\n", "| tried | ends |", "|---|---|", *lines, ""]))
    return "\n".join(parts)


def _cell(text: str) -> str:
    # Angle brackets would be taken for HTML, and a bar for the cell's end.
    return text.replace("|", "\\|").replace("<", "&lt;").replace("\n", " ")


def main() -> int:
    """Run the attacks and write the page; returns the exit status."""
    recorder = Recorder()
    # Not the test that compares the page with what is about to be written.
    arguments = ["-q", str(HERE), f"--ignore={HERE / 'test_table.py'}", *sys.argv[1:]]
    status = pytest.main(arguments, plugins=[recorder])
    if status or recorder.failed or not recorder.rows:
        print(f"{PAGE.name} was not written: an attack did not end as it should", file=sys.stderr)
        return 1
    PAGE.write_text(page(set(recorder.rows)), encoding="utf-8")
    print(f"{PAGE}: {len(set(recorder.rows))} attacks")
    return 0


if __name__ == "__main__":
    sys.exit(main())
