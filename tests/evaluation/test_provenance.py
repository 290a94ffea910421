"""What made a model: the commit is that of the code, wherever it runs."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pandas as pd
import pytest

from pipeline.evaluation import provenance
from pipeline.mtl import Task


def git(folder: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=a", "-c", "user.email=a@b"]
    result = subprocess.run(
        ["git", "-C", str(folder), *identity, *arguments],
        check=True,
        capture_output=True,
        text=True,
    )
    return result.stdout.strip()


@pytest.fixture
def other(tmp_path: Path) -> Path:
    """A repository that does not hold this code."""
    git(tmp_path, "init", "-q")
    git(tmp_path, "commit", "-q", "--allow-empty", "-m", "x")
    return tmp_path


def test_the_commit_is_not_that_of_the_current_folder(
    other: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = provenance.commit()
    monkeypatch.chdir(other)
    assert provenance.commit() == here
    assert here != git(other, "rev-parse", "HEAD")


def test_code_that_a_repository_does_not_track_has_no_commit(
    other: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(provenance, "ROOT", other)
    monkeypatch.setattr(provenance, "__file__", str(other / "provenance.py"))
    assert provenance.commit() is None


def test_a_change_of_the_code_is_marked_and_one_of_results_is_not(
    other: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, result = other / "pipeline" / "provenance.py", other / "result.json"
    file.parent.mkdir()
    for path in (file, result):
        path.write_text("1\n")
        git(other, "add", str(path))
    git(other, "commit", "-q", "-m", "y")
    monkeypatch.setattr(provenance, "ROOT", other)
    monkeypatch.setattr(provenance, "__file__", str(file))
    head = git(other, "rev-parse", "HEAD")
    result.write_text("2\n")
    assert provenance.commit() == head
    git(other, "commit", "-q", "-a", "-m", "the results alone")
    assert provenance.commit() == head
    file.write_text("2\n")
    assert provenance.commit() == f"{head}+"


def test_counts_are_of_samples_and_of_labels_on_each_side() -> None:
    index = pd.DataFrame({"split": ["train", "train", "test"], "kind": [1, None, 0]})
    assert provenance.counts(index, [Task("kind", ("none", "flood"))]) == {
        "samples": {"train": 2, "val": 0, "test": 1},
        "kind": {"train": 1, "val": 0, "test": 1},
    }


def test_an_extra_that_no_encoder_uses_is_no_version_of_the_model() -> None:
    plain = {"visual": {"encoder": "inception_v3"}, "text": {"encoder": "elmo"}}
    assert not {"transformers", "timm"} & set(provenance.versions(plain))
    other = {"visual": {"encoder": "timm:resnet50"}, "text": {"encoder": "hf:folder"}}
    extra = set(provenance.versions(other)) - set(provenance.versions(plain))
    assert extra == {"transformers", "timm"}
