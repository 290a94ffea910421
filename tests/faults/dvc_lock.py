"""The real `dvc repro`, killed while it rewrites dvc.lock and at random moments."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from tests.faults.experiment import Experiment, Outcome
from tests.faults.project import ENVIRONMENT, dvc, files, hgfn, make_project, must

WRITES = (3, 1, 6, 2, 4, 5)  # of dvc.lock, one a stage


def repro_killed_at(write: int, share: float) -> None:
    """Run `dvc repro` in this process, and kill it when it rewrites dvc.lock for the n-th time.

    What is left of dvc.lock is the first `share` of its bytes.
    """
    from dvc.cli import main

    count = 0

    def watch(event: str, arguments: tuple[Any, ...]) -> None:
        nonlocal count
        if event == "open" and str(arguments[0]).endswith("dvc.lock") and "w" in str(arguments[1]):
            count += 1
            if count == write:
                os.truncate(arguments[0], int(os.path.getsize(arguments[0]) * share))
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(watch)
    sys.exit(main(["repro"]))


def stages_run(output: str) -> int:
    return output.count("Running stage")


class Scene:
    """A project to be killed, and how it is after an undisturbed run."""

    def __init__(self, folder: Path) -> None:
        self.before, self.project = folder / "before", folder / "project"
        make_project(self.before)
        self.restart()
        start = time.perf_counter()
        self.stages = stages_run(must(dvc(self.project, "repro")).stdout)
        self.seconds = time.perf_counter() - start
        self.expected = files(self.project)

    def restart(self) -> None:
        """Put the project back to before the run."""
        shutil.rmtree(self.project, ignore_errors=True)
        shutil.copytree(self.before, self.project, symlinks=True)

    def finish(self) -> tuple[bool, str]:
        """Mend and run again; returns whether all is as undisturbed, and the output."""
        mended = hgfn(self.project, "doctor", "--mend")
        done = dvc(self.project, "repro")
        intact = mended.returncode == done.returncode == 0
        return intact and files(self.project) == self.expected, done.stdout


def aimed_kills(tries: int, folder: Path) -> Outcome:
    scene, held, most = Scene(folder), 0, 0
    for k in range(tries):
        scene.restart()
        # Every write in turn: first left empty, then cut off.
        share = 0.0 if k // len(WRITES) % 2 == 0 else random.Random(k).uniform(0.1, 0.9)
        killed = _run_killed(scene.project, WRITES[k % len(WRITES)], share)
        named = "fault: dvc.lock is" in hgfn(scene.project, "doctor").stdout
        same, output = scene.finish()
        repeated = stages_run(killed) + stages_run(output) - scene.stages
        most = max(most, repeated)
        held += named and same and repeated <= 1
    return Outcome(tries, held, f"stages run again: at most {most}")


def _run_killed(project: Path, write: int, share: float) -> str:
    code = f"from tests.faults.dvc_lock import repro_killed_at; repro_killed_at({write}, {share})"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=project,
        env={**os.environ, **ENVIRONMENT},
        capture_output=True,
        text=True,
    )
    if done.returncode != -signal.SIGKILL:
        raise RuntimeError(f"not killed: {done.stdout}{done.stderr}")
    return done.stdout


def random_kills(tries: int, folder: Path) -> Outcome:
    scene, held, killed, mended = Scene(folder), 0, 0, 0
    for k in range(tries):
        scene.restart()
        process = subprocess.Popen(
            [sys.executable, "-m", "dvc", "repro", "-q"],
            cwd=scene.project,
            env={**os.environ, **ENVIRONMENT},
            start_new_session=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        time.sleep(random.Random(k).uniform(0, scene.seconds))
        os.killpg(process.pid, signal.SIGKILL)
        killed += process.wait() == -signal.SIGKILL
        mended += "nothing to mend" not in hgfn(scene.project, "doctor", "--mend").stdout
        held += scene.finish()[0]
    return Outcome(tries, held, f"{killed} killed before the end; files to mend after {mended}")


EXPERIMENTS = [
    Experiment(
        "`dvc repro` killed while it rewrites dvc.lock: `hgfn doctor` names the file; after "
        "`hgfn doctor --mend` and `dvc repro` every byte is as in an undisturbed run, and at most "
        "one stage ran again",
        short=1,
        long=4 * len(WRITES),
        run=aimed_kills,
    ),
    Experiment(
        "`dvc repro` and its stage killed at a random moment: `hgfn doctor --mend` and `dvc repro` "
        "give the bytes of an undisturbed run",
        short=0,
        long=20,
        run=random_kills,
    ),
]
