"""Runs of every stage on a tiny input."""

from __future__ import annotations

import io
import os
import shutil
import tarfile
from collections.abc import Callable
from contextlib import redirect_stdout
from pathlib import Path

import pytest
import torch
from ruamel.yaml import YAML

from stages.audio import audio
from stages.download import download
from stages.evaluate import evaluate
from stages.index import index
from stages.params import params
from stages.report import report
from stages.text import text
from stages.train import train
from stages.visual import visual
from stages.weights import weights

ROOT = Path(__file__).resolve().parents[2]
FEATURES = [visual, text, audio]


def prepare(folder: Path, sources: Path) -> None:
    """Write a params.yaml like the repository's, with small settings and the tiny sources."""
    yaml = YAML(typ="safe")
    values = yaml.load(ROOT / "params.yaml")
    values["data"]["crisismmd"]["source"] = str(sources / "crisismmd")
    values["data"]["youtube"]["source"] = str(sources / "youtube")
    values["features"]["visual"] |= {"frames": 2, "size": 75}
    values["fusion"]["width"] = 8
    values["train"] |= {"max_epochs": 2, "members": 2}
    folder.mkdir()
    yaml.dump(values, folder / "params.yaml")


def run(folder: Path, sets: list[str], weigh: Callable[[], object] = weights) -> str:
    """Run every stage in order in `folder`; returns what they printed."""
    output = io.StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(output):
        patch.chdir(folder)
        patch.setenv("HGFN_CACHE", str(folder / "cache"))
        patch.setenv("HGFN_WORKERS", "1")
        threads, strict = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
        params()
        weigh()
        for name in sets:
            for stage in (download, index, *FEATURES, train, evaluate, report):
                stage(name)
        torch.set_num_threads(threads)
        torch.use_deterministic_algorithms(strict)
    shutil.rmtree(folder / "cache")
    return output.getvalue()


def write_sources(folder: Path) -> None:
    """Write the first tweets of one event of the sample, and its first clips."""
    sample = ROOT / "data" / "sample"
    with tarfile.open(sample / "crisismmd.tar.gz") as tar:
        tar.extractall(folder / "crisismmd", filter="data")
    event, *others = sorted((folder / "crisismmd").rglob("annotations/*.tsv"))
    for other in others:
        other.unlink()
    keep_lines(event, 31)
    shutil.copytree(sample / "youtube", folder / "youtube")
    keep_lines(folder / "youtube" / "manifest.csv", 13)


def keep_lines(path: Path, count: int) -> None:
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    path.write_text("".join(lines[:count]), encoding="utf-8")


def link_weights(weights_folder: Path, folder: Path) -> None:
    """Make hard links instead of another 200 MB."""
    shutil.copytree(weights_folder, folder / "data/weights", copy_function=os.link)
