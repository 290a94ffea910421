"""README.md, docs/predict.md and docs/explain.md: their commands and their Python run."""

from __future__ import annotations

import re
import shlex
import shutil
from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner, Result

from pipeline.cli import app
from pipeline.inputs.parquet import read_table

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]


def blocks(page: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", (ROOT / page).read_text(), re.M | re.S)


@pytest.fixture
def stranger(inside: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with a photo, a clip and posts of one's own in it."""
    folder = tmp_path / "project"
    (folder / "photos").mkdir(parents=True)
    for name in ("data", "models"):
        (folder / name).symlink_to(inside / name)
    shutil.copy(sorted((inside / "data/crisismmd/raw").rglob("*.jpg"))[0], folder / "photo.jpg")
    shutil.copy(folder / "photo.jpg", folder / "photos")
    clips = inside / "data/youtube/raw/clips"
    shutil.copy(sorted(clips.iterdir())[0], folder / "clip.mp4")
    (folder / "posts.csv").write_text("id,text,image\n917,Water in our street,photo.jpg\n")
    (folder / "posts.jsonl").write_text('{"text": "Water in our street"}\n')
    monkeypatch.chdir(folder)
    return folder


def typed(line: str) -> Result:
    """Run a line as a shell would, with what it reads from a file as standard input."""
    line, _, file = line.partition(" < ")
    given = Path(file).read_text() if file else None
    return CliRunner().invoke(app, shlex.split(line)[1:], input=given)


def test_the_commands_of_readme_and_of_predictions_run(stranger: Path) -> None:
    lines = [
        line
        for page in ("README.md", "docs/predict.md")
        for block in blocks(page, "sh")
        for line in block.splitlines()
        if line.startswith("hgfn predict")
    ]
    assert len(lines) == 7
    for line in lines:
        result = typed(line)
        if "--recall" in line:  # the tiny set has too few positives
            assert "--recall needs 20 positive validation rows" in result.output
            continue
        assert result.exit_code == 0, f"{line}: {result.output}"
    written = {"one.jsonl", "predictions.csv", "predictions.parquet", "predictions.jsonl"}
    assert written <= {path.name for path in stranger.iterdir()}


def test_the_python_of_readme_and_of_predictions_runs(stranger: Path) -> None:
    for page in ("README.md", "docs/predict.md"):
        names: dict[str, object] = {}
        (code,) = blocks(page, "python")
        exec(compile(code, page, "exec"), names)
        table = names["table"]
        assert isinstance(table, pd.DataFrame)
        assert table["informative.decision"].notna().all()
    assert len(blocks("README.md", "python")[0].strip().splitlines()) - 1 == 3  # a blank line


def test_a_mistake_of_the_report_is_explained_by_the_id_that_it_shows(stranger: Path) -> None:
    commands = [line for block in blocks("docs/explain.md", "") for line in block.splitlines()]
    commands = [line for line in commands if line.startswith("hgfn explain")]
    readme = (ROOT / "README.md").read_text()
    (of_readme,) = re.findall(r"`(hgfn explain[^`]*)`", readme)
    index = read_table(Path("data/crisismmd/index.parquet"))
    name = index["id"][index["image"].notna()].iloc[0]
    for line in [*commands, of_readme]:
        result = typed(re.sub(r"<id>|9099\d+_0", name, line))
        assert result.exit_code == 0, f"{line}: {result.output}"
        assert "without any input" in result.output


def test_an_id_that_the_models_set_does_not_have_is_named(stranger: Path) -> None:
    result = typed("hgfn explain models/crisismmd --id nobody")
    assert result.exit_code == 1
    assert "data/crisismmd: no post has the id 'nobody'; its first is " in result.output
    (stranger / "data").unlink()
    (stranger / "data").mkdir()
    (stranger / "data" / "weights").symlink_to(
        (stranger / "models").resolve().parent / "data/weights"
    )
    result = typed("hgfn explain models/crisismmd --id nobody")
    assert "index.parquet is not there, so no post has an --id; give an INPUT" in result.output
