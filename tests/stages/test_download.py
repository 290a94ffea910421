"""DVC watches a source, which may lie outside the repository."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from ruamel.yaml import YAML

ROOT = Path(__file__).resolve().parents[2]
YAML12 = YAML(typ="safe")
HEADER = "id,source,start,end,description,flood\n"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project whose clips are a folder elsewhere."""
    root, clips = tmp_path / "project", tmp_path / "clips"
    clips.mkdir()
    (clips / "manifest.csv").write_text(f"{HEADER}a,clips/a.mp4,,,,1\n")
    (clips / "clips").mkdir()
    (clips / "clips" / "a.mp4").write_bytes(b"first")
    for name in ("pipeline", "stages", "sources", "data/sample"):
        shutil.copytree(ROOT / name, root / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("dvc.yaml", ".dvcignore"):
        shutil.copyfile(ROOT / name, root / name)
    values = YAML12.load(ROOT / "params.yaml")
    values["data"]["youtube"]["source"] = str(clips)
    YAML12.dump(values, root / "params.yaml")
    monkeypatch.setenv("HGFN_CACHE", str(tmp_path / "cache"))
    dvc(root, "init", "-q", "--no-scm")
    return root


def dvc(root: Path, *arguments: str, code: int = 0) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "dvc", *arguments],
        cwd=root,
        env={**os.environ, "PYTHONPATH": str(root), "DVC_NO_ANALYTICS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert done.returncode == code, done.stdout
    return done.stdout


@pytest.mark.slow
def test_a_changed_source_is_noticed_and_a_missing_one_deletes_nothing(project: Path) -> None:
    download = "> python -m stages.download youtube"
    clip = project.parent / "clips" / "clips" / "a.mp4"
    copy = project / "data" / "youtube" / "raw" / "clips" / "a.mp4"
    assert download in dvc(project, "repro", "download@youtube")
    lock = (project / "dvc.lock").read_bytes()
    assert download not in dvc(project, "repro", "download@youtube")
    assert (project / "dvc.lock").read_bytes() == lock

    clip.write_bytes(b"second")
    assert download in dvc(project, "repro", "download@youtube")
    assert copy.read_bytes() == b"second"

    shutil.rmtree(project.parent / "clips")
    assert download not in dvc(project, "repro", "--allow-missing", "download@youtube")
    assert str(project.parent / "clips") in dvc(project, "repro", "download@youtube", code=255)
    assert copy.read_bytes() == b"second"

    values = YAML12.load(project / "params.yaml")
    values["data"]["youtube"]["source"] = "../mine"
    YAML12.dump(values, project / "params.yaml")
    output = dvc(project, "repro", "download@youtube", code=255)
    place = project.parent / "mine"
    assert f"data.youtube.source is '../mine': nothing is at {place};" in output
    assert copy.read_bytes() == b"second"
