"""The real `dvc repro` with a cache on a disk that becomes full."""

from __future__ import annotations

import hashlib
import shutil
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from tests.faults.experiment import Experiment, Outcome
from tests.faults.project import make_project, run

# A small disk for the cache, or for some of its files; these processes alone see it.
SCRIPT = """mkdir -p {folder} && mount -t tmpfs -o size={kib}k tmpfs {folder} || exit 99
{python} -m dvc repro; code=$?
{python} -c 'from pathlib import Path; from pipeline.ground.dvc_files import not_in_cache
print("lacks", len(list(not_in_cache(Path()))))'
exit $code"""
Disk = tuple[str, int]  # where it is mounted, KiB


def whole_cache(before: Path, number: int, tries: int) -> Disk:
    """A share of what the cache needs."""
    paths = (before / ".dvc/cache").rglob("*")
    kib = sum(path.stat().st_size for path in paths if path.is_file()) // 1024
    return ".dvc/cache", kib * (number + 1) // (tries + 1)


def one_file(before: Path, number: int, tries: int) -> Disk:
    """A page for a clip: the rest of its folder fits, and so does everything after it."""
    clips = sorted((before / "data/youtube/raw/clips").glob("*.mp4"))
    digest = hashlib.md5(clips[number].read_bytes(), usedforsecurity=False).hexdigest()
    return f".dvc/cache/files/md5/{digest[:2]}", 4


def full_disk(disk: Callable[[Path, int, int], Disk]) -> Callable[[int, Path], Outcome]:
    def experiment(tries: int, folder: Path) -> Outcome:
        if run(folder, "unshare", "-rm", "mount", "-t", "tmpfs", "tmpfs", str(folder)).returncode:
            return Outcome(0, 0, "no mount namespaces on this machine")
        before, project, ends = folder / "before", folder / "project", Counter[str]()
        make_project(before)
        for number in range(tries):
            shutil.copytree(before, project, symlinks=True)
            where, kib = disk(before, number, tries)
            script = SCRIPT.format(folder=where, kib=kib, python=sys.executable)
            done = run(project, "unshare", "-rm", "bash", "-c", script)
            if "is not in DVC's cache (is its disk full?)" in done.stdout:
                ends["ended by the stage `check`"] += done.returncode != 0
            elif done.returncode:
                ends["ended by DVC"] += done.returncode != 99
            else:
                ends["with a whole cache"] += "lacks 0" in done.stdout
            shutil.rmtree(project)
        figures = ", ".join(f"{count} {end}" for end, count in sorted(ends.items()))
        return Outcome(tries, ends.total(), figures)

    return experiment


EXPERIMENTS = [
    Experiment(
        "DVC's cache on a full disk: the run ends with an error, or the cache holds every output",
        short=0,
        long=8,
        run=full_disk(whole_cache),
    ),
    Experiment(
        "DVC's cache cannot hold one file of a folder, of which DVC only warns: the run ends with "
        "an error that names the folder and the cure",
        short=1,
        long=4,
        run=full_disk(one_file),
    ),
]
