"""The real `dvc repro`, killed while it rewrites dvc.lock and at random moments."""

from __future__ import annotations

import os
import random
import shutil
import signal
import sys
import time
from pathlib import Path
from typing import Any

from tests.faults.experiment import Experiment, Outcome
from tests.faults.project import files, hgfn, make_project, python

WRITES = (3, 1, 6, 2, 4, 5)  # of dvc.lock, one a stage


def kill_at(write: int, share: float) -> None:
    """Kill this process when it rewrites dvc.lock for the n-th time.

    What is left of dvc.lock is the first `share` of its bytes.
    """
    count = 0

    def watch(event: str, arguments: tuple[Any, ...]) -> None:
        nonlocal count
        if event == "open" and str(arguments[0]).endswith("dvc.lock") and "w" in str(arguments[1]):
            count += 1
            if count == write:
                os.truncate(arguments[0], int(os.path.getsize(arguments[0]) * share))
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(watch)


class Scene:
    """A project to be killed, and how it is after an undisturbed run."""

    def __init__(self, folder: Path) -> None:
        self.before, self.project = folder / "before", folder / "project"
        make_project(self.before)
        start = time.perf_counter()
        self.stages = self.repro("").count("Running stage")
        self.seconds = time.perf_counter() - start
        self.expected = files(self.project)

    def repro(self, kill: str) -> str:
        """Run `dvc repro` on the project as before, after code that will kill it."""
        shutil.rmtree(self.project, ignore_errors=True)
        shutil.copytree(self.before, self.project, symlinks=True)
        code = f"{kill}\nfrom dvc.cli import main\nraise SystemExit(main(['repro']))"
        done = python(self.project, "-c", code, check=False)
        if done.returncode != (-signal.SIGKILL if kill else 0):
            raise RuntimeError(f"exit code {done.returncode}: {done.stdout}")
        return done.stdout

    def mend(self) -> tuple[bool, str]:
        """Mend and run again; returns whether all is as undisturbed, and DVC's output."""
        hgfn(self.project, "doctor", "--mend")
        done = python(self.project, "-m", "dvc", "repro", check=False)
        return not done.returncode and files(self.project) == self.expected, done.stdout


def aimed_kills(tries: int, folder: Path) -> Outcome:
    scene, held, most = Scene(folder), 0, 0
    for k in range(tries):
        # Every write in turn: first left empty, then cut off.
        write, even = WRITES[k % len(WRITES)], k // len(WRITES) % 2 == 0
        share = 0.0 if even else random.Random(k).uniform(0.1, 0.9)
        kill = f"from tests.faults.dvc_lock import kill_at; kill_at({write}, {share})"
        killed = scene.repro(kill)
        named = "fault: dvc.lock is" in hgfn(scene.project, "doctor")
        same, output = scene.mend()
        repeated = (killed + output).count("Running stage") - scene.stages
        most = max(most, repeated)
        held += named and same and repeated <= 1
    return Outcome(tries, held, f"stages run again: at most {most}")


def random_kills(tries: int, folder: Path) -> Outcome:
    scene, held = Scene(folder), 0
    for k in range(tries):
        seconds = random.Random(k).uniform(0, scene.seconds)
        # The process is the leader of its group, to which its stages belong.
        scene.repro(f"import os, threading; threading.Timer({seconds}, os.killpg, (0, 9)).start()")
        held += scene.mend()[0]
    return Outcome(tries, held, f"killed within the first {scene.seconds:.0f} s")


EXPERIMENTS = [
    Experiment(
        "`dvc repro` killed while it rewrites dvc.lock: `hgfn doctor` names the file; after "
        "`hgfn doctor --mend` and `dvc repro` every byte is as in an undisturbed run, and at most "
        "one stage ran again",
        short=1,
        long=2 * len(WRITES),
        run=aimed_kills,
    ),
    Experiment(
        "`dvc repro` and its stage killed at a random moment: `hgfn doctor --mend` and `dvc repro` "
        "give the bytes of an undisturbed run",
        short=0,
        long=10,
        run=random_kills,
    ),
]
