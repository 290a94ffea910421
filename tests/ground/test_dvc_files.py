"""What DVC says of files and what is there: the hashes, damage, and a lock that is cut off."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.ground.dvc_files import (
    COPIES,
    begin_stage,
    differs,
    not_in_cache,
    outputs,
    parse_lock,
    read_lock,
)

ROOT = Path(__file__).resolve().parents[2]
PIPELINE = """stages:
  write: {cmd: "mkdir -p folder/ü && echo 1 > file && echo 2 > folder/ü/b && echo 3 > folder/a",
    outs: [file, folder]}
  read: {cmd: "python -m reader", deps: [file, folder], outs: [result]}
"""
READER = """from pathlib import Path
from pipeline.ground.command import run
def reader() -> None:
    Path("result").write_text(Path("file").read_text() + Path("folder/a").read_text())
run(reader)
"""


def dvc(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "dvc", *words], cwd=folder, capture_output=True, text=True
    )


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project that DVC ran, of two stages: a file and a folder, and what is made of them."""
    folder = tmp_path_factory.mktemp("recorded")
    (folder / "dvc.yaml").write_text(PIPELINE)
    (folder / "reader.py").write_text(READER)
    assert dvc(folder, "init", "--no-scm", "-q").returncode == 0
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(ROOT))
        assert dvc(folder, "repro", "-q").returncode == 0
    return folder


@pytest.fixture
def inside(recorded: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(recorded)
    return recorded


@pytest.mark.slow
def test_files_and_folders_have_the_hashes_that_dvc_records(inside: Path) -> None:
    written = dict(outputs(read_lock(Path("dvc.lock"))))
    assert set(written) == {Path("file"), Path("folder"), Path("result")}
    assert not [path for path, digest in written.items() if differs(path, digest)]


@pytest.mark.slow
def test_a_stage_copies_the_lock_when_it_begins(inside: Path) -> None:
    copied = read_lock(COPIES / "dvc.lock")  # the second stage began when the first was recorded
    assert list(copied) == ["write"]
    begin_stage("read")
    assert (COPIES / "dvc.lock").read_bytes() == Path("dvc.lock").read_bytes()


@pytest.mark.slow
@pytest.mark.parametrize("name", ["file", "folder/a"])
def test_a_stage_refuses_a_damaged_input(inside: Path, name: str) -> None:
    path, whole = Path(name), Path(name).read_bytes()
    path.write_bytes(b"9\n")
    try:
        begin_stage("write")  # it does not read the file
        with pytest.raises(ValueError, match=f"^{path.parts[0]}: not as its stage wrote it"):
            begin_stage("read")
    finally:
        path.write_bytes(whole)
    begin_stage("read")


@pytest.mark.slow
@pytest.mark.parametrize("cure", ["delete", "accept"])
def test_what_a_stage_says_of_an_edited_input_helps(inside: Path, cure: str) -> None:
    edited = Path("file")
    edited.write_text(f"{cure}\n")
    with pytest.raises(ValueError, match="delete it, then run `") as caught:
        begin_stage("read")
    again, accept = (words.split()[1:] for words in str(caught.value).split("`")[1::2])
    if cure == "delete":
        edited.unlink()
    assert dvc(inside, *(again if cure == "delete" else accept)).returncode == 0
    begin_stage("read")
    assert edited.read_text() == ("1\n" if cure == "delete" else "accept\n")


@pytest.mark.slow
def test_an_output_that_dvcs_cache_lacks_is_named_until_it_is_committed(inside: Path) -> None:
    assert list(not_in_cache(inside)) == []
    digest = hashlib.md5(b"2\n").hexdigest()
    (inside / ".dvc/cache/files/md5" / digest[:2] / digest[2:]).unlink()
    (message,) = not_in_cache(inside)
    assert message.startswith("folder is not in DVC's cache (is its disk full?)")
    assert message.endswith("run `dvc commit write`")
    assert dvc(inside, "commit", "write").returncode == 0
    assert list(not_in_cache(inside)) == []


def test_a_project_that_dvc_cannot_read_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"^DVC cannot read the project: [^\n]*$"):
        list(not_in_cache(tmp_path))


LOCK = b"""schema: '2.0'
stages:
  a:
    cmd: x
    outs:
    - path: b
      hash: md5
      md5: d41d8cd98f00b204e9800998ecf8427e
      size: 0
"""


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\n",
        b"schema: '2.0'\n",
        LOCK[:-1],
        LOCK[:-20],
        LOCK[: LOCK.index(b"      md5")],
        LOCK[:40],
        b"\xff\n",
        b"a: [\n",
        b"stages: " + 5000 * b"[" + 5000 * b"]" + b"\n",
        b"stages: {a: {outs: [{path: [1]}]}}\n",
        b"1\n",
    ],
)
def test_a_lock_that_is_cut_off_is_named(data: bytes) -> None:
    assert list(parse_lock(Path("dvc.lock"), LOCK)) == ["a"]
    with pytest.raises(ValueError, match=r"^dvc\.lock is empty or cut off: .* --mend`$"):
        parse_lock(Path("dvc.lock"), data)


def test_a_stage_that_is_run_by_hand_needs_no_dvc(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    begin_stage("read")
    assert list(tmp_path.iterdir()) == []
