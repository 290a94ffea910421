"""The stages of dvc.yaml follow the sets of params.yaml; docs/own_posts.md runs as written."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from pipeline.datasets.posts import read_labelled_posts
from pipeline.params import load_params

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "own_posts.md").read_text()
STAGES = ["download", "index", "visual", "text", "audio", "train", "evaluate", "report", "check"]


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.S)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """The pipeline's own dvc.yaml, with the page's set in params.yaml beside the built-in ones."""
    shutil.copy(ROOT / "dvc.yaml", tmp_path)
    text = (ROOT / "params.yaml").read_text()
    (tmp_path / "params.yaml").write_text(text.replace("data:\n", f"data:\n{blocks('yaml')[1]}", 1))
    dvc(tmp_path, "init", "--no-scm", "-q")
    return tmp_path


def dvc(folder: Path, *words: str) -> str:
    command = [sys.executable, "-m", "dvc", *words]
    return subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True).stdout


def stages(folder: Path) -> list[str]:
    return sorted(dvc(folder, "stage", "list", "--name-only").split())


def expected(*names: str) -> list[str]:
    return sorted(["params", "weights", *(f"{stage}@{name}" for stage in STAGES for name in names)])


def test_three_lines_of_params_give_a_set_every_stage(project: Path) -> None:
    assert load_params(project / "params.yaml").data.sources["floods"] == "/home/me/floods"
    assert stages(project) == expected("crisismmd", "floods", "youtube")


def test_a_set_that_is_not_in_params_has_no_stage(project: Path) -> None:
    yaml = YAML()
    values = yaml.load(project / "params.yaml")
    del values["data"]["crisismmd"], values["data"]["youtube"]
    yaml.dump(values, project / "params.yaml")
    assert stages(project) == expected("floods")


def test_the_pages_commands_name_stages(project: Path) -> None:
    (commands,) = blocks("bash")
    known = stages(project)
    for command in commands.splitlines():
        program, action, stage = command.split()
        assert (program, action) == ("dvc", "repro")
        assert stage in known


def test_the_pages_manifest_is_read(tmp_path: Path) -> None:
    (tmp_path / "posts.csv").write_text(blocks("csv")[0])
    (tmp_path / "tasks.yaml").write_text(blocks("yaml")[0])
    table, tasks = read_labelled_posts(tmp_path / "posts.csv")
    assert table["image"].notna().tolist() == [True, True, False]
    assert [task["name"] for task in tasks] == ["flooded", "damage"]


def test_the_pipeline_stays_within_150_lines() -> None:
    assert len((ROOT / "dvc.yaml").read_text().splitlines()) <= 150
