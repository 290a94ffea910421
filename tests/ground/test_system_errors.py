"""What the system refuses ends in one line that names the file, the cause and the cure."""

from __future__ import annotations

import errno
import os
import pickle
import re
from pathlib import Path

import pandas as pd
import pytest

from pipeline.ground.system_errors import explain, naming, require_space
from pipeline.ground.temporaries import write_bytes, written_whole

NAMES = (
    "ENOSPC EDQUOT EFBIG EROFS EACCES EPERM EMFILE ENFILE ENOMEM ENAMETOOLONG ELOOP ENOENT EEXIST "
    "ENOTDIR EISDIR EIO"
)


@pytest.mark.parametrize("name", NAMES.split())
def test_a_line_names_file_cause_and_cure_and_survives_another_process(name: str) -> None:
    number = getattr(errno, name)
    error = OSError(number, os.strerror(number))
    error.filename = "models/a.json"
    error.add_note("while clip 7 was read")
    line = explain(pickle.loads(pickle.dumps(error)))
    start = f"models/a.json: {os.strerror(number)}; "
    assert re.fullmatch(rf"{start}.{{12,}}, while clip 7 was read", line)


def test_what_a_library_adds_is_left_out_and_what_we_add_stays() -> None:
    wordy = OSError(errno.ENOSPC, "Driver write request failed (file write failed: time = \n)", "a")
    ours = OSError(errno.ENOSPC, "No space left on device (needs 7 bytes)", "a")
    assert explain(wordy) == explain(OSError(errno.ENOSPC, "No space left on device", "a"))
    assert explain(ours).startswith("a: No space left on device (needs 7 bytes); free ")


def test_of_two_names_the_written_one_counts() -> None:
    error = OSError(errno.ENOSPC, "No space left on device", "source", None, "copy")
    assert explain(error).startswith("copy: ")


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (ValueError("a: wrong"), "a: wrong"),
        (OSError("x"), "x"),
        (OSError(-2, "Name or service not known"), "[Errno -2] Name or service not known"),
        (MemoryError(), "MemoryError"),
    ],
)
def test_other_errors_stay_as_they_are_and_none_is_empty(error: Exception, line: str) -> None:
    assert explain(error) == line


def test_an_error_names_the_file_that_was_to_be_written(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    with pytest.raises(OSError, match="No space") as caught, written_whole(path) as temporary:  # noqa: PT012
        temporary.symlink_to("/dev/full")
        pd.DataFrame({"a": range(9)}).to_parquet(temporary)
    assert explain(caught.value).startswith(f"{path}: No space left on device; free ")
    assert list(tmp_path.iterdir()) == []


def test_too_many_open_files_and_a_name_that_is_too_long_name_the_file(tmp_path: Path) -> None:
    resource = pytest.importorskip("resource")
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, limits[1]))
    try:
        with pytest.raises(OSError, match="Too many open files") as caught:
            write_bytes(tmp_path / "a.json", b"{}")
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    assert re.match(rf"{tmp_path}\S*: Too many open files; raise ", explain(caught.value))
    with pytest.raises(OSError, match="name too long") as caught:
        write_bytes(tmp_path / ("n" * 300), b"{}")
    assert explain(caught.value).startswith(f"{tmp_path}/{'n' * 300}: File name too long; short")


def test_an_error_of_reading_does_not_blame_the_file_that_is_written(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="Input/output") as caught, naming(tmp_path, tmp_path / "t"):
        raise OSError(errno.EIO, "Input/output error")
    assert caught.value.filename is None


def test_an_error_of_another_file_keeps_its_name(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No such file") as caught, naming(tmp_path, tmp_path / "t"):
        open(tmp_path / "another")  # noqa: SIM115
    assert caught.value.filename == str(tmp_path / "another")


def test_a_need_that_does_not_fit_is_stated(tmp_path: Path) -> None:
    require_space(tmp_path / "a.h5", 1)
    with pytest.raises(OSError, match="needs") as caught:
        require_space(tmp_path / "a.h5", 1 << 60)
    assert f"a.h5: No space left on device (needs {1 << 60:,} bytes, " in explain(caught.value)
