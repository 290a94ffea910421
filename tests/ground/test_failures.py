from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.ground.failures import KINDS, Failure, read_failures, summary, write_failures

FAILURES = [
    Failure("b", "visual", "truncated", "data/b.jpg: cut"),
    Failure("a", "visual", "missing_file", 'a comma, a "quote",\na line feed, \r, ü'),
    Failure("a", "audio", "missing_file", ""),
    Failure("nan", "text", "empty_text", "NA"),
    Failure("-dQw4w9WgXc", "clip", "removed", "=HYPERLINK(0) \x1b[2J"),
]


def test_failures_come_back_sorted(tmp_path: Path) -> None:
    path = tmp_path / "new folder" / "failures.csv"
    write_failures(path, FAILURES)
    assert read_failures(path) == sorted(FAILURES)
    header, first, second = path.read_text().splitlines()[:3]
    assert header == "id,modality,kind,message"
    assert first == "'-dQw4w9WgXc,clip,removed,'=HYPERLINK(0) \\x1b[2J"
    assert second.startswith("a,audio,")


def test_their_order_changes_no_byte(tmp_path: Path) -> None:
    write_failures(tmp_path / "one.csv", FAILURES)
    write_failures(tmp_path / "two.csv", FAILURES[::-1])
    assert (tmp_path / "one.csv").read_bytes() == (tmp_path / "two.csv").read_bytes()


def test_none_is_a_table_too(tmp_path: Path) -> None:
    write_failures(tmp_path / "failures.csv", [])
    assert (tmp_path / "failures.csv").read_text() == "id,modality,kind,message\n"
    assert read_failures(tmp_path / "failures.csv") == []


@pytest.mark.parametrize(
    ("failures", "expected"),
    [
        ([], "no failures"),
        (FAILURES, "5 failures (empty_text 1, missing_file 2, removed 1, truncated 1)"),
    ],
)
def test_the_summary_counts_kinds(failures: list[Failure], expected: str) -> None:
    assert summary(failures) == expected


def test_a_kind_that_is_not_in_the_list_is_never_written(tmp_path: Path) -> None:
    assert len(set(KINDS)) == len(KINDS)
    with pytest.raises(ValueError, match=r"^unknown kind of failure 'odd'; allowed: download_f.*"):
        write_failures(tmp_path / "failures.csv", [Failure("a", "text", "odd", "")])
    assert not list(tmp_path.iterdir())
