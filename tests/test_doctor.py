"""`hgfn doctor --mend` and damaged outputs."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from dvc.lock import make_lock
from typer.testing import CliRunner

from pipeline.cli import app
from pipeline.ground.dvc_files import COPIES, LOCKS

LOCK = """schema: '2.0'
stages:
  {name}:
    cmd: x
    outs:
    - path: data/file
      hash: md5
      md5: d41d8cd98f00b204e9800998ecf8427e
      size: 0
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with the locks of two pipelines and copies of both, in git with older ones."""
    monkeypatch.chdir(tmp_path)
    for key in ("GIT_AUTHOR", "GIT_COMMITTER"):
        monkeypatch.setenv(f"{key}_NAME", "t")
        monkeypatch.setenv(f"{key}_EMAIL", "t@example.org")
    Path(".dvc/tmp").mkdir(parents=True)
    for lock in LOCKS:
        lock.parent.mkdir(exist_ok=True)
        lock.write_text(LOCK.format(name="committed"))
    for command in (["init", "-q"], ["add", "."], ["commit", "-qm", "x"]):
        subprocess.run(["git", *command], check=True)
    for lock in LOCKS:
        (COPIES / lock).parent.mkdir(parents=True, exist_ok=True)
        (COPIES / lock).write_text(LOCK.format(name="current"))
        lock.write_text(LOCK.format(name="current"))
    return tmp_path


def doctor(*options: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["doctor", *options])
    return result.exit_code, result.output


@pytest.mark.parametrize("lock", LOCKS, ids=str)
@pytest.mark.parametrize("left", ["", LOCK.format(name="current")[:100]])
def test_a_lock_that_a_kill_cut_off_is_restored(project: Path, lock: Path, left: str) -> None:
    lock.write_text(left)
    code, output = doctor()
    assert code == 1
    assert f"fault: {lock} is empty or cut off: DVC was killed while writing it" in output
    code, output = doctor("--mend")
    assert (code, output.count("\n")) == (0, 1)
    assert output.startswith(f"{lock}: restored from {COPIES / lock}, the copy made when")
    assert {lock.read_text() for lock in LOCKS} == {LOCK.format(name="current")}


def test_a_lock_that_a_kill_cut_off_between_two_stages_is_restored(project: Path) -> None:
    more = LOCK.format(name="current") + LOCK.format(name="later").partition("stages:\n")[2]
    (COPIES / LOCKS[0]).write_text(more)
    code, output = doctor()
    assert (code, "fault: dvc.lock is cut off after a stage" in output) == (1, True)
    assert doctor("--mend")[0] == 0
    assert LOCKS[0].read_text() == more


def test_a_lock_as_committed_may_have_fewer_stages_than_the_copy(project: Path) -> None:
    LOCKS[0].write_text(LOCK.format(name="committed"))
    assert doctor("--mend") == (0, "nothing to mend\n")


def test_a_lock_in_a_conflict_of_git_is_named_and_left_to_its_user(project: Path) -> None:
    text = LOCK.format(name="current").replace(
        "    cmd: x\n", "<<<<<<< HEAD\n    cmd: x\n=======\n"
    )
    LOCKS[0].write_text(text)
    message = "dvc.lock holds a git conflict; resolve it, then run `dvc repro`\n"
    assert f"fault: {message}" in doctor()[1]
    assert doctor("--mend") == (0, message)
    assert LOCKS[0].read_text() == text


def test_without_a_good_copy_the_lock_of_the_last_commit_is_restored(project: Path) -> None:
    for lock in LOCKS:
        lock.write_text("")
        (COPIES / lock).write_text("schema: ")
    code, output = doctor("--mend")
    assert (code, output.count("restored from git's HEAD; run `dvc repro`")) == (0, 2)
    assert {lock.read_text() for lock in LOCKS} == {LOCK.format(name="committed")}


def test_a_lock_without_any_copy_is_deleted_so_that_dvc_can_run(project: Path) -> None:
    (COPIES / LOCKS[0]).unlink()
    subprocess.run(["git", "rm", "-q", "--cached", str(LOCKS[0])], check=True)
    subprocess.run(["git", "commit", "-qm", "y"], check=True)
    LOCKS[0].write_text("")
    code, output = doctor("--mend")
    assert code == 0
    assert output.startswith("dvc.lock: deleted, as there is no good copy in .dvc/tmp/hgfn or git")
    assert not LOCKS[0].exists()


@pytest.mark.parametrize("left", ["", '{"/data/a": {'])
def test_dvcs_list_of_readers_and_writers_is_deleted_if_it_is_cut_off(
    project: Path, left: str
) -> None:
    path = Path(".dvc/tmp/rwlock")
    path.write_text(left)
    assert "rwlock is not JSON: DVC was killed while writing it" in doctor()[1]
    assert doctor("--mend") == (0, f"{path}: deleted; DVC writes it again\n")
    assert doctor("--mend") == (0, "nothing to mend\n")
    assert not path.exists()


def test_nothing_is_mended_while_dvc_runs(project: Path) -> None:
    LOCKS[0].write_text("")
    with make_lock(".dvc/tmp/lock", tmp_dir=".dvc/tmp"):
        code, output = doctor("--mend")
    assert (code, LOCKS[0].read_text()) == (1, "")
    assert "DVC is running" in output


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: " + 5000 * "[" + 5000 * "]", "more than 8 levels"),
        ("a: &a [1]\nb: [*a, *a]\n", "alias *a"),
    ],
)
def test_params_that_dvc_cannot_read_are_named(project: Path, text: str, message: str) -> None:
    Path("params.yaml").write_text(text)
    Path("dvc.yaml").write_text("stages: {current: {cmd: 'echo ${a}', outs: [data/file]}}\n")
    code, output = doctor()
    assert output.startswith(f"fault: params.yaml: not valid YAML: {message}")
    assert (code, output.count("\n")) == (1, 2)


def test_a_fresh_clone_has_nothing_to_mend(project: Path) -> None:
    shutil.rmtree(".dvc/tmp")
    assert doctor("--mend") == (0, "nothing to mend\n")


def test_elsewhere_mend_says_where_it_works(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert doctor("--mend") == (1, "error: .dvc: no such folder; run from the project's root\n")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("pipe", [False, True], ids=["a file", "a pipe"])
def test_an_output_that_is_not_as_recorded_is_found(project: Path, pipe: bool) -> None:
    Path("data").mkdir()
    Path("data/file").write_text("")
    assert "data/file" not in doctor()[1]
    Path("data/file").unlink()
    os.mkfifo("data/file") if pipe else Path("data/file").write_text("x")
    code, output = doctor()
    assert code == 1
    assert "fault: data/file is not as dvc.lock says: run `dvc repro` after an edit or an" in output
