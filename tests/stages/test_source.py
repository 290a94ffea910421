from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from pipeline.datasets.crisismmd_source import URL
from pipeline.datasets.http.pins import LOCK, write_pin
from pipeline.datasets.sample import write_crisismmd
from pipeline.extractors.published import needed
from stages.source import source

ROOT = Path(__file__).resolve().parents[2]
YAML12 = YAML(typ="safe")


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A root whose CrisisMMD is a folder elsewhere."""
    values = YAML12.load(ROOT / "params.yaml")
    values["data"]["crisismmd"]["source"] = str(tmp_path / "elsewhere")
    root = tmp_path / "project"
    root.mkdir()
    YAML12.dump(values, root / "params.yaml")
    (tmp_path / "elsewhere").mkdir()
    write_crisismmd(tmp_path / "elsewhere", tweets=24)
    monkeypatch.chdir(root)
    monkeypatch.setenv("HGFN_CACHE", str(tmp_path / "cache"))
    return root


def test_the_fingerprint_is_written(project: Path) -> None:
    source("crisismmd")
    source("youtube")
    found = json.loads((project / "data/crisismmd.source.json").read_text())
    assert found["source"] == str(project.parent / "elsewhere")
    assert len(found["sha256"]) == 64
    assert json.loads((project / "data/youtube.source.json").read_text()) == {"source": "sample"}


def test_without_the_source_the_recorded_fingerprint_is_kept(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source("crisismmd")
    recorded = (project / "data/crisismmd.source.json").read_bytes()
    elsewhere = project.parent / "elsewhere"
    shutil.rmtree(elsewhere)
    source("crisismmd")
    assert (project / "data/crisismmd.source.json").read_bytes() == recorded
    told = f"crisismmd: {elsewhere} is not on this machine; taken to be as it was\n"
    assert capsys.readouterr().out == told


@pytest.mark.parametrize("text", ["<<<<<<< ours\n{}\n", "[]", ""])
@pytest.mark.parametrize("name", ["crisismmd", "weights"])
def test_a_fingerprint_that_a_merge_broke_is_named(project: Path, name: str, text: str) -> None:
    file = project / f"data/{name}.source.json"
    file.parent.mkdir(exist_ok=True)
    file.write_text(text)
    with pytest.raises(ValueError, match=rf"^data/{name}\.source\.json is no JSON object; take"):
        source(name)
    assert file.read_text() == text


def test_a_run_that_was_killed_while_writing_leaves_the_old_fingerprint(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source("youtube")
    file = project / "data/youtube.source.json"
    recorded = file.read_bytes()
    with monkeypatch.context() as patched:
        patched.setattr(os, "replace", _killed)
        with pytest.raises(KeyboardInterrupt):
            source("youtube")
    assert file.read_bytes() == recorded


def _killed(*_: object) -> None:
    raise KeyboardInterrupt


def test_a_source_that_never_was_is_refused_before_anything_is_deleted(project: Path) -> None:
    shutil.rmtree(project.parent / "elsewhere")
    with pytest.raises(ValueError, match=r"^data.crisismmd.source is '.*': nothing is there; corr"):
        source("crisismmd")


@pytest.fixture
def official(project: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A root whose CrisisMMD is the official one, without a network."""
    values = YAML12.load(project / "params.yaml")
    values["data"]["crisismmd"]["source"] = "official"
    YAML12.dump(values, project / "params.yaml")
    monkeypatch.setenv("HGFN_MIRROR", "http://127.0.0.1:9")
    monkeypatch.setattr("time.sleep", lambda _: None)
    return project


def recorded(project: Path, name: str) -> dict[str, str]:
    return dict(json.loads((project / f"data/{name}.source.json").read_text()))


def test_a_published_source_is_pinned_before_anything_depends_on_it(official: Path) -> None:
    with pytest.raises(ValueError, match=r"CrisisMMD_v2.0.tar.gz: cannot connect .*; check the n"):
        source("crisismmd")
    assert not (official / "data").exists()


def test_a_changed_pin_is_noticed(official: Path) -> None:
    found = []
    for digit in "001":
        write_pin(LOCK, URL, {"sha256": digit * 64, "size": 1})
        source("crisismmd")
        found.append(recorded(official, "crisismmd")["sha256"])
    assert found[0] == found[1] != found[2]


def test_without_a_pin_the_recorded_one_is_kept(
    official: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_pin(LOCK, URL, {"sha256": "0" * 64, "size": 1})
    source("crisismmd")
    before = recorded(official, "crisismmd")
    LOCK.unlink()
    source("crisismmd")
    assert recorded(official, "crisismmd") == before
    told = "crisismmd: official is not on this machine; taken to be as it was\n"
    assert capsys.readouterr().out == told


def test_the_weights_have_a_source_too(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source("weights")
    assert recorded(project, "weights") == {"source": "untrained"}
    values = YAML12.load(project / "params.yaml")
    values["features"]["weights"] = "pretrained"
    YAML12.dump(values, project / "params.yaml")
    for file in needed(values["features"]["text"]["model"]).values():
        write_pin(LOCK, file.url, {"sha256": "0" * 64, "size": 1})
    monkeypatch.setenv("HGFN_WEIGHTS", str(tmp_path))
    prints = []
    for content in (b"one", b"one", b"two"):
        (tmp_path / "sound8.npy").write_bytes(content)
        source("weights")
        prints.append(str(recorded(project, "weights")))
    assert prints[0] == prints[1] != prints[2]


def repro(project: Path) -> str:
    command = [sys.executable, "-m", "dvc", "repro", "download@crisismmd"]
    environment = {**os.environ, "PYTHONPATH": str(project), "DVC_NO_ANALYTICS": "1"}
    done = subprocess.run(
        command, cwd=project, env=environment, capture_output=True, text=True, check=True
    )
    return done.stdout


@pytest.mark.slow
def test_dvc_notices_a_changed_source_and_downloads_nothing_otherwise(project: Path) -> None:
    for part in ("pipeline", "stages"):
        shutil.copytree(ROOT / part, project / part, ignore=shutil.ignore_patterns("__pycache__"))
    for file in ("dvc.yaml", ".dvcignore"):
        shutil.copyfile(ROOT / file, project / file)
    subprocess.run([sys.executable, "-m", "dvc", "init", "-q", "--no-scm"], cwd=project, check=True)
    assert "> python -m stages.download crisismmd" in repro(project)
    lock = (project / "dvc.lock").read_bytes()
    assert "> python -m stages.download" not in repro(project)
    assert (project / "dvc.lock").read_bytes() == lock
    photo = next((project.parent / "elsewhere" / "data_image").rglob("*.jpg"))
    photo.write_bytes(b"changed")
    assert "> python -m stages.download crisismmd" in repro(project)
    copied = project / "data/crisismmd/raw" / photo.relative_to(project.parent / "elsewhere")
    assert copied.read_bytes() == b"changed"
