"""A small project of the first stages, for experiments that run the real `dvc repro`."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

from ruamel.yaml import YAML

from tests.faults.experiment import ROOT

STAGES = ("params", "download", "index", "check")
INDEXED = ("index.parquet", "tasks.json", "failures/index.csv")
ENVIRONMENT = {
    "PYTHONPATH": str(ROOT),
    "GIT_CONFIG_GLOBAL": os.devnull,
    **{f"GIT_{who}_NAME": "t" for who in ("AUTHOR", "COMMITTER")},
    **{f"GIT_{who}_EMAIL": "t@example.org" for who in ("AUTHOR", "COMMITTER")},
}


def run(folder: Path, *command: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    """Run a command in a folder, in a process group of its own; its output holds stderr too."""
    done = subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, **ENVIRONMENT},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    if check and done.returncode:
        raise RuntimeError(f"{command}: exit code {done.returncode}\n{done.stdout}")
    return done


def python(folder: Path, *words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    """Run Python in a project."""
    return run(folder, sys.executable, *words, check=check)


def hgfn(folder: Path, *words: str) -> str:
    """Run `hgfn` in a project; returns its output."""
    return python(folder, "-c", "from pipeline.cli import app; app()", *words, check=False).stdout


def make_project(folder: Path) -> None:
    """Make a project whose stages index few tweets and clips, run it and commit it, then change it.

    The next `dvc repro` runs every stage again.
    """
    for name in ("pipeline", "stages", "sources"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in (".gitignore", ".dvcignore"):
        shutil.copy(ROOT / name, folder)
    text = (ROOT / "params.yaml").read_text().replace("crisismmd.tar.gz", "crisismmd")
    (folder / "params.yaml").write_text(text)
    _write_sources(folder / "data/sample")
    _write_pipeline(folder / "dvc.yaml")
    run(folder, "git", "init", "-q")
    python(folder, "-m", "dvc", "init", "-q")
    python(folder, "-m", "dvc", "repro", "-q")
    run(folder, "git", "add", "-A")
    run(folder, "git", "commit", "-q", "-m", "first run")
    _shorten(folder / "data/sample", 30)
    (folder / "params.yaml").write_text(f"{text}# changed\n")


def _write_sources(sample: Path) -> None:
    with tarfile.open(ROOT / "data/sample/crisismmd.tar.gz") as tar:
        tar.extractall(sample / "crisismmd", filter="data")
    shutil.copytree(ROOT / "data/sample/youtube", sample / "youtube")
    _shorten(sample, 31)


def _shorten(sample: Path, lines: int) -> None:
    for path in sample.rglob("*.[ct]sv"):
        path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:lines]))


def _write_pipeline(path: Path) -> None:
    yaml = YAML()
    values = yaml.load(ROOT / "dvc.yaml")
    stages = {name: values["stages"][name] for name in STAGES}
    stages["check"]["do"]["deps"] = [f"data/${{key}}/{file}" for file in INDEXED]
    yaml.dump({"stages": stages}, path)


def files(folder: Path) -> dict[str, bytes]:
    """Return every file that the stages and DVC wrote."""
    paths = [folder / "dvc.lock", *(folder / "data").rglob("*")]
    return {str(p.relative_to(folder)): p.read_bytes() for p in paths if p.is_file()}
