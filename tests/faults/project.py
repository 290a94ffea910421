"""A small project of the first stages, for experiments that run the real `dvc repro`."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Sequence
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


def run(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    """Run a command in a folder; its output holds stderr too."""
    return subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, **ENVIRONMENT},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def dvc(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run DVC in a project."""
    return run(folder, sys.executable, "-m", "dvc", *words)


def hgfn(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run `hgfn` in a project."""
    return run(folder, sys.executable, "-c", "from pipeline.cli import app; app()", *words)


def must(done: subprocess.CompletedProcess[str]) -> subprocess.CompletedProcess[str]:
    """Raise RuntimeError with the output of a command that failed."""
    if done.returncode:
        raise RuntimeError(f"{done.args}: exit code {done.returncode}\n{done.stdout}")
    return done


def make_project(folder: Path) -> None:
    """Make a project whose stages index few tweets and clips, run it and commit it, then change it.

    The next `dvc repro` runs every stage again.
    """
    for name in ("pipeline", "stages", "sources"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("params.yaml", ".gitignore", ".dvcignore"):
        shutil.copy(ROOT / name, folder)
    _write_sources(folder / "data/sample")
    _write_pipeline(folder / "dvc.yaml")
    must(run(folder, "git", "init", "-q"))
    must(dvc(folder, "init", "-q"))
    must(dvc(folder, "repro", "-q"))
    must(run(folder, "git", "add", "-A"))
    must(run(folder, "git", "commit", "-q", "-m", "first run"))
    for path in (folder / "data/sample").rglob("*.[ct]sv"):
        path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:-1]))
    with (folder / "params.yaml").open("a") as file:
        file.write("# changed\n")


def _write_sources(sample: Path) -> None:
    with tarfile.open(ROOT / "data/sample/crisismmd.tar.gz") as tar:
        tar.extractall(sample / "crisismmd", filter="data")
    shutil.copytree(ROOT / "data/sample/youtube", sample / "youtube")
    for path in sample.rglob("*.[ct]sv"):
        path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:31]))


def _write_pipeline(path: Path) -> None:
    yaml = YAML()
    values = yaml.load(ROOT / "dvc.yaml")
    stages = {name: values["stages"][name] for name in STAGES}
    stages["check"]["deps"] = [
        f"data/{name}/{file}" for name in ("crisismmd", "youtube") for file in INDEXED
    ]
    yaml.dump({"stages": stages}, path)
    params = path.with_name("params.yaml")
    text = params.read_text().replace("crisismmd.tar.gz", "crisismmd")
    params.write_text(text)


def files(folder: Path, below: Sequence[str] = ("data", "dvc.lock")) -> dict[str, str]:
    """Return the digest of every file that the stages and DVC wrote."""
    paths = [path for name in below for path in (folder / name, *(folder / name).rglob("*"))]
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in paths
        if path.is_file()
    }
