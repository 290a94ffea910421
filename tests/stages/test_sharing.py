"""A checkout with a DVC remote and no raw data pulls the features and starts at training."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pipeline.datasets.crisismmd import TASKS
from pipeline.datasets.index import COLUMNS
from pipeline.inputs.feature_file import write_features
from pipeline.inputs.parquet import write_table

pytestmark = pytest.mark.heavy


ROOT = Path(__file__).resolve().parents[2]
ROWS = 60
MADE = ("index@crisismmd", "visual@crisismmd", "text@crisismmd", "audio@crisismmd")


def run(folder: Path, *command: str) -> str:
    """Run a command in a folder, with the git and HGFN settings of a fresh machine."""
    author = {
        f"GIT_{who}_{what}": "t@example.org"
        for who in ("AUTHOR", "COMMITTER")
        for what in ("NAME", "EMAIL")
    }
    settings = {"GIT_CONFIG_GLOBAL": os.devnull, "HGFN_CACHE": str(folder / "c"), **author}
    done = subprocess.run(
        command, cwd=folder, env={**os.environ, **settings}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def dvc(folder: Path, *words: str) -> str:
    return run(folder, sys.executable, "-m", "dvc", *words)


def write_outputs(folder: Path) -> None:
    """What the stages before training would have made, from numbers that can be learnt."""
    data = folder / "data" / "crisismmd"
    for path in ("raw/annotations", "features", "failures"):
        (data / path).mkdir(parents=True)
    (data / "raw/annotations/secret.tsv").write_text("raw data that is not shared")
    for name in ("index", "visual", "text", "audio"):
        (data / f"failures/{name}.csv").write_text("id,modality,kind,message\n")
    for name in ("visual", "text", "audio"):
        (folder / "data/weights" / name).mkdir(parents=True)
        (folder / "data/weights" / name / "net").write_text(name)
    ids = [f"t{row:03d}" for row in range(ROWS)]
    labels = {task["name"]: [row % len(task["classes"]) for row in range(ROWS)] for task in TASKS}
    sides = [("train", "train", "train", "val", "test")[row // 6 % 5] for row in range(ROWS)]
    table = pd.DataFrame({"id": ids, "group": ids, "split": sides, "leaks": False, **labels})
    write_table(data / "index.parquet", table.reindex(columns=[*COLUMNS, *labels]))
    (data / "tasks.json").write_text(json.dumps(TASKS))
    for name in ("visual", "text"):
        rows = [(key, np.full((1, 4), k % 6, np.float32)) for k, key in enumerate(ids)]
        write_features(data / f"features/{name}.h5", rows, 4, {"modality": name})
    nothing = [(key, None) for key in ids]
    write_features(data / "features/audio.h5", nothing, 4, {"modality": "audio"})


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project, `mine`, of which all but the raw data was pushed to a remote beside it.

    Its sources are outside the repository, and are not on the machine any more.
    """
    team = tmp_path_factory.mktemp("team")
    folder = team / "mine"
    folder.mkdir()
    for name in ("pipeline", "stages", "sources"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("dvc.yaml", ".gitignore", ".dvcignore"):
        shutil.copy(ROOT / name, folder)
    (team / "tweets" / "annotations").mkdir(parents=True)
    (team / "tweets" / "annotations" / "flood_final_data.tsv").touch()
    (team / "clips").mkdir()
    (team / "clips" / "manifest.csv").write_text("id,source,start,end,description,flood\n")
    params = (ROOT / "params.yaml").read_text()
    for old, new in {
        "max_epochs: 100": "max_epochs: 2",
        "width: 256": "width: 8",
        "data/sample/crisismmd.tar.gz": str(team / "tweets"),
        "data/sample/youtube": str(team / "clips"),
    }.items():
        assert old in params
        params = params.replace(old, new)
    (folder / "params.yaml").write_text(params)
    run(folder, "git", "init", "-q")
    dvc(folder, "init", "-q")
    run(folder, sys.executable, "-m", "stages.params")
    write_outputs(folder)
    before = ("params", "weights", "download@crisismmd", *MADE)
    dvc(folder, "commit", "-q", "--force", *before)
    dvc(folder, "remote", "add", "-d", "team", str(team / "remote"))
    dvc(folder, "remote", "modify", "team", "verify", "true")
    dvc(folder, "push", "-q")
    run(folder, "git", "add", "-A")
    run(folder, "git", "commit", "-q", "-m", "share")
    shutil.rmtree(team / "tweets")
    return team


@pytest.fixture
def theirs(shared: Path, tmp_path: Path) -> Path:
    """Somebody else's clone."""
    run(tmp_path, "git", "clone", "-q", str(shared / "mine"), "theirs")
    return tmp_path / "theirs"


def test_raw_data_stays_where_it_is(shared: Path) -> None:
    files = [path for path in (shared / "remote").rglob("*") if path.is_file()]
    assert files
    assert not [path for path in files if b"secret" in path.read_bytes()]


def test_a_clone_without_raw_data_pulls_features_and_trains(theirs: Path) -> None:
    output = dvc(theirs, "repro", "--pull", "--allow-missing", "train@crisismmd")
    assert "Running stage 'train@crisismmd'" in output
    for stage in ("weights", "download@crisismmd", *MADE):
        assert f"Running stage '{stage}'" not in output
    assert (theirs / "models/crisismmd/model.safetensors").is_file()
    assert not (theirs / "data/crisismmd/raw").exists()


def test_such_a_clone_trains_with_other_parameters(theirs: Path) -> None:
    params = theirs / "params.yaml"
    params.write_text(params.read_text().replace("alpha: 1.0", "alpha: 0.5"))
    output = dvc(theirs, "repro", "--pull", "--allow-missing", "train@crisismmd")
    assert "goes on without it" in output
    assert "Running stage 'train@crisismmd'" in output


def test_a_damaged_remote_is_noticed(shared: Path, theirs: Path) -> None:
    damaged = theirs.parent / "damaged"
    shutil.copytree(shared / "remote", damaged)
    dvc(theirs, "remote", "modify", "team", "url", str(damaged))
    for path in damaged.glob("files/md5/??/*"):
        path.chmod(0o644)
        path.write_bytes(path.read_bytes() + b"x")
    with pytest.raises(AssertionError, match="ERROR"):
        dvc(theirs, "repro", "--pull", "--allow-missing", "train@crisismmd")
    assert not (theirs / "models").exists()
