"""A real disk that gets full while a stage writes: one line, nothing half, and on again."""

from __future__ import annotations

import atexit
import os
import shutil
import subprocess
import sys
import tempfile
from functools import cache, partial
from pathlib import Path

import numpy as np
from ruamel.yaml import YAML

from tests.faults.experiment import ROOT, Experiment, Outcome

# In the order of a run. Each is tried with outputs that are there, and without, as DVC calls it.
STAGES = (
    "download youtube",
    "index youtube",
    "weights",
    "text youtube",
    "visual youtube",
    "audio youtube",
    "train youtube",
    "evaluate youtube",
)
OUTPUTS = {
    "weights": ["data/weights"],
    "download": ["data/youtube/raw"],
    "index": ["data/youtube/index.parquet", "data/youtube/tasks.json"],
    "text": ["data/youtube/features/text.h5", "data/youtube/failures/text.csv"],
    "visual": ["data/youtube/features/visual.h5", "data/youtube/failures/visual.csv"],
    "audio": ["data/youtube/features/audio.h5", "data/youtube/failures/audio.csv"],
    "train": ["models", "plots/youtube/live"],
    "evaluate": ["metrics", "predictions", "plots/youtube/evaluation", "plots/youtube/figures"],
}
CLIPS = 12
ENOUGH, FULL = "held, with enough room", "held, with too little room"
# Mounts a disk in a namespace of its own, then runs what follows.
ALONE = ["unshare", "--map-root-user", "--mount", "sh", "-c"]
MOUNT = 'mount -t tmpfs -o size=600m none "$1" && shift && exec "$@"'


def possible() -> bool:
    """Whether this machine lets us mount a disk of our own."""
    with tempfile.TemporaryDirectory() as folder:
        command = [*ALONE, MOUNT, "sh", folder, "true"]
        return not subprocess.run(command, capture_output=True, check=False).returncode


def fill_up(stage: str, tries: int, folder: Path) -> Outcome:
    """Try one stage with so many amounts of room; each try runs on a disk of its own."""
    project = prepared(stage)
    disk = folder / "disk"
    disk.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "tests.faults.full_disk", stage, str(tries), project, disk]
    done = subprocess.run(
        [*ALONE, MOUNT, "sh", disk, *command],
        cwd=ROOT,
        env=environment(),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    lines = done.stdout.splitlines()
    failed = [line for line in lines if line not in (ENOUGH, FULL)]
    figures = f"{lines.count(FULL)} times the room was too small"
    return Outcome(tries, len(lines) - len(failed), "; ".join([figures, *failed]))


@cache
def prepared(stage: str) -> Path:
    """Make a small project in which every stage before this one has run, and the stage itself."""
    if stage == STAGES[0]:
        folder = Path(tempfile.mkdtemp(prefix="full-disk-"))
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        write_project(folder)
    else:
        folder = prepared(STAGES[STAGES.index(stage) - 1])
    run_stage(stage, folder).check_returncode()
    return folder


def write_project(folder: Path) -> None:
    clips = folder / "clips"
    shutil.copytree(ROOT / "data" / "sample" / "youtube", clips)
    lines = (clips / "manifest.csv").read_text(encoding="utf-8").splitlines(keepends=True)
    (clips / "manifest.csv").write_text("".join(lines[: CLIPS + 1]), encoding="utf-8")
    yaml = YAML(typ="safe")
    values = yaml.load(ROOT / "params.yaml")
    values["data"]["youtube"]["source"] = "clips"
    values["features"]["visual"] |= {"frames": 2, "size": 75}
    values["fusion"]["width"] = 8
    values["train"]["max_epochs"] = 2
    yaml.dump(values, folder / "params.yaml")


def environment() -> dict[str, str]:
    variables = {"HGFN_CACHE": "cache", "HGFN_WORKERS": "1", "PYTHONPATH": str(ROOT)}
    return {**os.environ, **variables, "OMP_NUM_THREADS": "1"}


def run_stage(stage: str, folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", *f"stages.{stage}".split()]
    return subprocess.run(
        command, cwd=folder, env=environment(), capture_output=True, text=True, check=False
    )


def contents(folder: Path, stage: str) -> dict[str, bytes]:
    """Return the files of a stage's outputs, hidden ones too."""
    outputs = [folder / name for name in OUTPUTS[stage.split()[0]]]
    paths = [p for o in outputs for p in (o.rglob("*") if o.is_dir() else [o]) if p.is_file()]
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths}


def try_stage(stage: str, room: int, project: Path, disk: Path) -> str:
    """Run a stage on `disk` with `room` bytes free, then again with enough; returns what it did."""
    folder = disk / "project"
    expected = contents(project, stage)
    shutil.copytree(project, folder, ignore=shutil.ignore_patterns("weights", "__pycache__"))
    if stage != "weights" and (project / "data" / "weights").exists():
        (folder / "data" / "weights").symlink_to(project / "data" / "weights")
    if room % 2:  # DVC removes the outputs of a stage first; a person who runs it does not
        for name in OUTPUTS[stage.split()[0]]:
            output = folder / name
            shutil.rmtree(output) if output.is_dir() else output.unlink(missing_ok=True)
        shutil.rmtree(folder / "cache", ignore_errors=True)
    old = contents(folder, stage)
    ballast = disk / "ballast"
    with ballast.open("wb") as file:
        size = shutil.disk_usage(disk).free - room // 4096 * 4096
        os.posix_fallocate(file.fileno(), 0, size)
    done = run_stage(stage, folder)
    fault = check(done, contents(folder, stage), old, expected)
    ballast.unlink()
    again = run_stage(stage, folder)
    if again.returncode or contents(folder, stage) != expected:
        fault = fault or f"again: {again.stderr or 'other bytes'}"
    shutil.rmtree(folder)
    if fault:
        return f"{stage} with {room} bytes: {' / '.join(fault.splitlines())}"
    return FULL if done.returncode else ENOUGH


def check(
    done: subprocess.CompletedProcess[str],
    new: dict[str, bytes],
    old: dict[str, bytes],
    expected: dict[str, bytes],
) -> str:
    """Return what is wrong after a stage that may have found the disk full; empty if nothing is."""
    if done.returncode == 0:
        return "" if new == expected else "exit 0 with other bytes"
    lines = done.stderr.splitlines()
    if done.returncode != 1 or len(lines) != 1 or not lines[0].startswith("error: "):
        return f"exit {done.returncode}, {len(lines)} lines: {done.stderr[-200:]}"
    if "; free some space on its disk and run again" not in lines[0]:
        return f"no file or no cure: {lines[0]}"
    # Files of DVCLive, which logs as it goes, are as they were when the disk was full.
    half = [p for p in new if "/live/" not in p and new[p] not in (old.get(p), expected.get(p))]
    return f"half written: {half}" if half else ""


def main(stage: str, tries: int, project: Path, disk: Path) -> None:
    """Print a line for each try."""
    rng = np.random.default_rng(0)
    need = sum(map(len, contents(project, stage).values()))
    for number in range(tries):
        room = 0 if number < 2 else int(rng.uniform(0, 1.2 * need))
        print(try_stage(stage, room // 2 * 2 + number % 2, project, disk), flush=True)


EXPERIMENTS = [
    Experiment(
        f"a disk that gets full in `{stage}`: one line with file and cure, nothing half written, "
        "and with room the same bytes",
        short=2 if stage.startswith("index") and possible() else 0,
        long=6,
        run=partial(fill_up, stage),
    )
    for stage in STAGES
]

if __name__ == "__main__":
    name, count, *paths = sys.argv[1:]
    main(name, int(count), *map(Path, paths))
