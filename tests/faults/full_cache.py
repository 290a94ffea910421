"""The real `dvc repro` with a cache on a disk that becomes full."""

from __future__ import annotations

import hashlib
import shutil
import sys
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path

from tests.faults.experiment import Experiment, Outcome
from tests.faults.project import make_project, run

# A small disk for the cache, or for some of its files; these processes alone see it.
SCRIPT = """mkdir -p $1 && mount -t tmpfs -o size=${2}k tmpfs $1 || exit 99
$3 -m dvc repro; code=$?
$3 -c 'from pathlib import Path; from pipeline.ground.dvc_files import not_in_cache
print("lacks", len(list(not_in_cache(Path()))))'
exit $code"""
Disk = tuple[str, int]  # where it is mounted, KiB


def whole_cache(before: Path, share: float) -> Disk:
    """A share of what the cache needs."""
    paths = (before / ".dvc/cache").rglob("*")
    kib = sum(path.stat().st_size for path in paths if path.is_file()) // 1024
    return ".dvc/cache", int(kib * share)


def one_file(before: Path, share: float) -> Disk:
    """A page for a clip: the rest of its folder fits, and so does everything after it."""
    clips = sorted((before / "data/youtube/raw/clips").glob("*.mp4"))
    clip = clips[int(len(clips) * share)]
    digest = hashlib.md5(clip.read_bytes(), usedforsecurity=False).hexdigest()
    return f".dvc/cache/files/md5/{digest[:2]}", 4


def full_disk(disk: Callable[[Path, float], Disk], tries: int, folder: Path) -> Outcome:
    if run(folder, "unshare", "-rm", "true", check=False).returncode:
        return Outcome(0, 0, "no mount namespaces on this machine")
    before, project, ends = folder / "before", folder / "project", Counter[str]()
    make_project(before)
    for number in range(tries):
        shutil.copytree(before, project, symlinks=True)
        where, kib = disk(before, (number + 1) / (tries + 1))
        words = ("bash", "-c", SCRIPT, "bash", where, str(kib), sys.executable)
        done = run(project, "unshare", "-rm", *words, check=False)
        if "is not in DVC's cache (is its disk full?)" in done.stdout:
            ends["ended by the stage `check`"] += done.returncode != 0
        elif done.returncode:
            ends["ended by DVC"] += done.returncode != 99
        else:
            ends["with a whole cache"] += "lacks 0" in done.stdout
        shutil.rmtree(project)
    figures = ", ".join(f"{count} {end}" for end, count in sorted(ends.items()))
    return Outcome(tries, ends.total(), figures)


EXPERIMENTS = [
    Experiment(
        "DVC's cache on a full disk: the run ends with an error, or the cache holds every output",
        short=0,
        long=4,
        run=partial(full_disk, whole_cache),
    ),
    Experiment(
        "DVC's cache cannot hold one file of a folder, of which DVC only warns: the run ends with "
        "an error that names the folder and the cure",
        short=1,
        long=2,
        run=partial(full_disk, one_file),
    ),
]
