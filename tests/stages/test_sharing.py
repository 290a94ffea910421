"""Whoever has a DVC remote and no raw data pulls the features and starts at training."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pipeline.datasets.crisismmd import TASKS
from pipeline.datasets.index import COLUMNS
from pipeline.inputs.feature_file import write_features

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
ROWS = 60
MADE = ("index@crisismmd", "visual@crisismmd", "text@crisismmd")


def command(folder: Path, *words: str) -> str:
    environment = {**os.environ, "GIT_CONFIG_GLOBAL": "/dev/null", "HGFN_CACHE": str(folder / "c")}
    environment |= {f"GIT_{who}_{what}": "t@example.org" for who in ("AUTHOR", "COMMITTER")
                    for what in ("NAME", "EMAIL")}  # fmt: skip
    done = subprocess.run(words, cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def write_outputs(folder: Path) -> None:
    """What the stages before training would have made, from numbers that can be learnt."""
    data = folder / "data" / "crisismmd"
    for path in ("raw/annotations", "features", "failures"):
        (data / path).mkdir(parents=True)
    (data / "raw/annotations/secret.tsv").write_text("raw data that is not shared")
    for name in ("index", "visual", "text"):
        (data / f"failures/{name}.csv").write_text("id,modality,kind,message\n")
    (folder / "data/params.checked").write_text("")
    (folder / "data/weights").mkdir()
    for name in ("inception_v3.safetensors", "soundnet8.safetensors", "elmo_options.json",
                 "elmo_weights.hdf5"):  # fmt: skip
        (folder / "data/weights" / name).write_text(name)
    ids = [f"t{row:03d}" for row in range(ROWS)]
    labels = {task["name"]: [row % len(task["classes"]) for row in range(ROWS)] for task in TASKS}
    sides = [("train", "train", "train", "val", "test")[row // 6 % 5] for row in range(ROWS)]
    table = pd.DataFrame({"id": ids, "group": ids, "split": sides, **labels})
    table.reindex(columns=[*COLUMNS, *labels]).to_parquet(data / "index.parquet", index=False)
    (data / "tasks.json").write_text(json.dumps(TASKS))
    for name in ("visual", "text"):
        rows = {key: (lambda k=k: np.full((1, 4), k % 6, np.float32)) for k, key in enumerate(ids)}
        write_features(data / f"features/{name}.h5", rows, 4, {"modality": name})


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project, `mine`, of which all but the raw data was pushed to a remote beside it."""
    folder = tmp_path_factory.mktemp("team") / "mine"
    folder.mkdir()
    ignored = shutil.ignore_patterns("__pycache__")
    for name in ("pipeline", "stages"):
        shutil.copytree(ROOT / name, folder / name, ignore=ignored)
    for name in ("dvc.yaml", ".gitignore", ".dvcignore"):
        shutil.copy(ROOT / name, folder)
    params = (ROOT / "params.yaml").read_text()
    params = params.replace("max_epochs: 100", "max_epochs: 2").replace("width: 256", "width: 8")
    (folder / "params.yaml").write_text(params)
    command(folder, "git", "init", "-q")
    command(folder, "dvc", "init", "-q")
    write_outputs(folder)
    for name in ("crisismmd", "weights"):
        command(folder, "python", "-m", "stages.source", name)
    sources = ("source@crisismmd", "source@weights")
    before = ("params", *sources, "weights", "download@crisismmd", *MADE)
    command(folder, "dvc", "commit", "-q", "--force", *before)
    command(folder, "dvc", "remote", "add", "-d", "team", str(folder.parent / "remote"))
    command(folder, "dvc", "remote", "modify", "team", "verify", "true")
    command(folder, "dvc", "push", "-q")
    command(folder, "git", "add", "-A")
    command(folder, "git", "commit", "-q", "-m", "share")
    return folder.parent


@pytest.fixture
def theirs(shared: Path, tmp_path: Path) -> Path:
    """Somebody else's clone."""
    command(tmp_path, "git", "clone", "-q", str(shared / "mine"), "theirs")
    return tmp_path / "theirs"


def test_raw_data_stays_where_it_is(shared: Path) -> None:
    files = [path for path in (shared / "remote").rglob("*") if path.is_file()]
    assert files
    assert not [path for path in files if b"secret" in path.read_bytes()]


def test_a_clone_without_raw_data_pulls_features_and_trains(theirs: Path) -> None:
    told = command(theirs, "dvc", "repro", "--pull", "--allow-missing", "train@crisismmd")
    assert "Running stage 'train@crisismmd'" in told
    for stage in ("weights", "download@crisismmd", *MADE):
        assert f"Running stage '{stage}'" not in told
    assert (theirs / "models/crisismmd/model.safetensors").is_file()
    assert not (theirs / "data/crisismmd/raw").exists()


def test_a_damaged_remote_is_noticed(shared: Path, theirs: Path) -> None:
    damaged = theirs.parent / "damaged"
    shutil.copytree(shared / "remote", damaged)
    command(theirs, "dvc", "remote", "modify", "team", "url", str(damaged))
    for path in damaged.glob("files/md5/??/*"):
        path.chmod(0o644)
        path.write_bytes(path.read_bytes() + b"x")
    with pytest.raises(AssertionError, match="ERROR"):
        command(theirs, "dvc", "repro", "--pull", "--allow-missing", "train@crisismmd")
    assert not (theirs / "models").exists()
