from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pipeline.ground.processes import start_time
from pipeline.ground.temporaries import remove_left_over, temporary_name, written_whole


@pytest.fixture
def ended() -> int:
    """The number of a process that is no more."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def of_process(path: Path, process: str | int) -> Path:
    """Name a file as the process would; `process` is its number, or number and beginning."""
    return path.with_name(re.sub("@[0-9-]+", f"@{process}", temporary_name(path).name))


def age(path: Path, days: float) -> None:
    os.utime(path, (0, time.time() - days * 86400))


def test_names_are_hidden_and_of_one_writer(tmp_path: Path) -> None:
    names = {temporary_name(tmp_path / "a.h5") for _ in range(100)}
    assert len(names) == 100
    assert all(name.parent == tmp_path and name.name.startswith(".a.h5.") for name in names)


def test_what_an_ended_process_left_goes_and_a_living_ones_stays(
    tmp_path: Path, ended: int
) -> None:
    file, folder = of_process(tmp_path / "a.h5", ended), of_process(tmp_path / "raw", ended)
    mine = temporary_name(tmp_path / "a.h5")
    (folder / "inside").mkdir(parents=True)
    for path in (file, folder / "inside" / "file", mine):
        path.touch()
    assert remove_left_over(tmp_path) == 2
    assert list(tmp_path.iterdir()) == [mine]


def test_of_another_machine_only_what_is_a_day_old_goes(tmp_path: Path, ended: int) -> None:
    old, new = (tmp_path / f".a.other-machine@{ended}.0123456{k}.part" for k in range(2))
    for path, days in ((old, 1.1), (new, 0.9)):
        path.touch()
        age(path, days)
    assert remove_left_over(tmp_path) == 1
    assert list(tmp_path.iterdir()) == [new]


WRITER = """
import sys
from pathlib import Path
from pipeline.ground.temporaries import temporary_name
print(temporary_name(Path(sys.argv[1])), flush=True)
input()
"""


def test_what_a_process_of_days_writes_stays_until_it_ends(tmp_path: Path) -> None:
    command = [sys.executable, "-c", WRITER, tmp_path / "a.h5"]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(command, text=True, **pipes) as writer:
        assert writer.stdout is not None
        path = Path(writer.stdout.readline().strip())
        path.touch()
        age(path, 3)
        assert remove_left_over(tmp_path) == 0
        writer.kill()
    assert remove_left_over(tmp_path) == 1


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells when a process started")
def test_a_number_that_another_process_took_keeps_nothing(tmp_path: Path) -> None:
    parent = os.getppid()
    when = start_time(parent)
    assert when is not None
    new, old = (of_process(tmp_path / "a", f"{parent}-{since}") for since in (when, when - 1))
    for path in (new, old):
        path.touch()
    assert remove_left_over(tmp_path) == 1
    assert list(tmp_path.iterdir()) == [new]


def test_where_nobody_tells_when_a_process_began_its_number_counts(
    tmp_path: Path, ended: int
) -> None:
    living, gone = (of_process(tmp_path / "a", process) for process in (os.getppid(), ended))
    for path in (living, gone):
        path.touch()
        age(path, 3)
    assert remove_left_over(tmp_path) == 1
    assert list(tmp_path.iterdir()) == [living]


def test_only_the_named_ones_go_where_a_name_is_given(tmp_path: Path, ended: int) -> None:
    one, other = (of_process(tmp_path / name, ended) for name in ("text.h5", "visual.h5"))
    one.touch()
    other.touch()
    assert remove_left_over(tmp_path, of="text.h5") == 1
    assert list(tmp_path.iterdir()) == [other]


@pytest.mark.parametrize("name", ["a.part", ".a.part", ".a.host@x.01234567.part", ".a.h@1.0.part"])
def test_what_others_call_part_is_left_alone(tmp_path: Path, name: str) -> None:
    (tmp_path / name).touch()
    age(tmp_path / name, 100)
    assert remove_left_over(tmp_path) == 0
    assert (tmp_path / name).exists()


def test_a_folder_that_is_not_there_holds_nothing(tmp_path: Path) -> None:
    assert remove_left_over(tmp_path / "none") == 0


def test_a_file_is_replaced_when_the_block_ended_well_and_left_alone_otherwise(
    tmp_path: Path, ended: int
) -> None:
    path = tmp_path / "new" / "a.json"
    with written_whole(path) as temporary:
        temporary.write_text("one")
        assert not path.exists()
    of_process(path, ended).touch()
    with pytest.raises(KeyboardInterrupt), written_whole(path) as temporary:  # noqa: PT012
        temporary.write_text("half")
        raise KeyboardInterrupt
    assert path.read_text() == "one"
    assert list(path.parent.iterdir()) == [path]
