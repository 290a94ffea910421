"""`hgfn predict`: files of predictions are whole, failures are counted, faults are one line."""

from __future__ import annotations

import csv
import json
import re
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from pipeline.cli import app
from pipeline.inputs.parquet import read_table

pytestmark = pytest.mark.slow


def hgfn(*arguments: str, given: str | None = None) -> tuple[int, list[str]]:
    result = CliRunner().invoke(app, ["predict", *arguments], input=given)
    return result.exit_code, result.output.splitlines()


def photo_of(project: Path) -> Path:
    return sorted((project / "data/crisismmd/raw").rglob("*.jpg"))[0]


def test_one_post_is_decided_on_the_terminal(inside: Path) -> None:
    code, lines = hgfn(
        "models/crisismmd", "--text", "A flood", "--image", str(photo_of(inside)), "--recall", "1"
    )
    assert (code, len(lines)) == (1, 1)  # the tiny set has too few positives
    assert "--recall needs 20 positive validation rows" in lines[0]
    code, lines = hgfn("models/crisismmd", "--text", "A flood", "--image", str(photo_of(inside)))
    assert code == 0
    tasks = json.loads(Path("models/crisismmd/labels.json").read_text())
    for task, line in zip(tasks, lines, strict=False):
        assert line.startswith(f"{task['name']}: ")
        assert all(label in line for label in task["classes"])


def test_a_folder_gives_a_row_a_file_in_every_format(inside: Path, tmp_path: Path) -> None:
    folder = tmp_path / "photos"
    (folder / "more").mkdir(parents=True)
    shutil.copy(photo_of(inside), folder / "more" / "b.jpg")
    (folder / "a.JPG").write_text("no photo")
    (folder / "notes.txt").write_text("x")
    (folder / ".hidden.jpg").write_text("x")
    for suffix in ("csv", "jsonl", "parquet"):
        out = tmp_path / f"out.{suffix}"
        code, lines = hgfn("models/crisismmd", str(folder), "--out", str(out))
        assert code == 0
        assert lines[0] == "1 files are neither photos nor clips"
        assert lines[1].startswith(
            "warning: untrained encoder of text and visual, a random network"
        )
        assert lines[2].startswith(f"2 posts in {out}; ")
        assert lines[2].endswith("1 with nothing to look at; failures: visual not_an_image 1")
    table = read_table(tmp_path / "out.parquet")
    assert table["id"].tolist() == ["a.JPG", "more/b.jpg"]
    assert table["visual.present"].tolist() == [False, True]
    rows = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert list(rows[0]) == list(table)
    assert rows[1]["visual.failure"] is None
    assert rows[1]["informative.confidence"] == table["informative.confidence"][1]
    with (tmp_path / "out.csv").open(newline="") as file:
        confidences = [float(row["informative.confidence"]) for row in csv.DictReader(file)]
    assert confidences == table["informative.confidence"].tolist()


def test_a_manifest_is_read_beside_its_files_and_its_labels_are_named(
    inside: Path, tmp_path: Path
) -> None:
    shutil.copy(photo_of(inside), tmp_path / "a.jpg")
    manifest = "id;text;image;flood\n900041234567890123;=1+1;a.jpg;1\nx;;gone.jpg;\n"
    (tmp_path / "posts.csv").write_text(manifest, encoding="utf-8-sig")
    code, lines = hgfn(
        "models/crisismmd", str(tmp_path / "posts.csv"), "--out", str(tmp_path / "o.csv")
    )
    assert code == 0
    assert lines[0] == "columns that predictions do not use: flood"
    with (tmp_path / "o.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["id"] for row in rows] == ["900041234567890123", "x"]
    assert rows[1]["visual.failure"] == "missing_file"
    assert rows[1]["unsure"] == "True"


def test_json_lines_come_from_standard_input(inside: Path, tmp_path: Path) -> None:
    posts = '{"id": "=cmd()", "text": "flood"}\n\n{"text": "fire"}\n'
    code, lines = hgfn("models/crisismmd", "-", "--out", str(tmp_path / "o.csv"), given=posts)
    assert (code, lines[-1].split(";")[0]) == (0, f"2 posts in {tmp_path / 'o.csv'}")
    with (tmp_path / "o.csv").open(newline="") as file:
        ids = [row["id"] for row in csv.DictReader(file)]
    assert ids == ["'=cmd()", "2"]


def test_an_input_of_which_nothing_can_be_read_ends_with_1(inside: Path, tmp_path: Path) -> None:
    out = tmp_path / "o.jsonl"
    code, lines = hgfn("models/crisismmd", "-", "--out", str(out), given='{"text": " "}\n')
    assert code == 1
    assert lines[-1].endswith(f"no post had anything that could be read; see {out}")
    assert len(out.read_text().splitlines()) == 1


def test_one_post_says_what_it_is_unsure_of_and_which_file_failed(inside: Path) -> None:
    code, lines = hgfn("models/crisismmd", "--text", "A flood", "--image", "gone.jpg")
    assert code == 0
    assert lines[0] == "visual: gone.jpg: missing_file; not used"
    assert lines[-1].startswith("warning: untrained encoder of text and visual")
    for line in (line for line in lines if line.startswith("unsure")):
        assert re.fullmatch(r"unsure of \w+(, \w+)*: confidence below 0\.\d+", line)


def test_nothing_is_decided_of_a_post_of_which_nothing_can_be_read(inside: Path) -> None:
    code, lines = hgfn("models/crisismmd", "--text", "", "--image", "gone.jpg")
    assert code == 1
    assert lines[:2] == ["text: empty_text; not used", "visual: gone.jpg: missing_file; not used"]
    assert lines[2].startswith("error: the post had nothing that could be read; the model takes")
    assert len(lines) == 3


def test_an_error_in_the_middle_leaves_no_file(inside: Path, tmp_path: Path) -> None:
    out, good = tmp_path / "o.csv", '{"text": "flood"}\n'
    code, lines = hgfn("models/crisismmd", "-", "--out", str(out), given=f"{good}{{broken\n")
    assert code == 1
    assert "standard input: line 2 is not JSON: Expecting property name" in lines[-1]
    assert lines[-1].endswith("at column 2; write one post a line")
    assert list(tmp_path.iterdir()) in ([], [tmp_path / "cache"])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["models/none", "--text", "x"], "models/none: no model, since it has no config.json"),
        (["models/crisismmd"], "give an INPUT (a manifest, a folder, or -), or --text, "),
        (["models/crisismmd", "-", "--text", "x"], "give an INPUT (a manifest, a folder, or -)"),
        (["models/crisismmd", "-"], "name the file of the predictions: --out predictions.csv"),
        (["models/crisismmd", "a.xlsx", "--out", "o.csv"], "a.xlsx: no such folder, and no mani"),
        (["models/crisismmd", "a.JPG", "--out", "o.csv"], ". Give one file as --image a.JPG"),
        (["models/crisismmd", "a.mp4", "--out", "o.csv"], ". Give one file as --video a.mp4"),
        (["models/crisismmd", "a.jsonl", "--out", "o.csv"], ". Give JSON lines as - < a.jsonl"),
        (["models/none", "-", "--out", "o.txt"], "--out is 'o.txt'; allowed: a file of "),
        (["models/crisismmd", "a.csv", "--out", "o.csv"], "a.csv: no such table"),
        (["models/crisismmd", "a.csv", "--out", "./a.csv"], "--out a.csv is the INPUT, which it"),
        (["models/crisismmd", "-", "--out", "o.xlsx"], "--out is 'o.xlsx'; allowed: a file of "),
        (["models/crisismmd", "models", "--out", "o.csv"], "models: no photo or clip, "),
        (["models/crisismmd", "--text", "x", "--recall", "2"], "--recall is 2.0; allowed: above"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(
    inside: Path, tmp_path: Path, arguments: list[str], message: str
) -> None:
    code, lines = hgfn(*arguments)
    assert (code, len(lines)) == (1, 1)
    assert message in lines[0]
