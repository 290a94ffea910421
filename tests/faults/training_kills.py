"""Kills of the real training stage: run again, it resumes and ends with the same bytes."""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from pipeline.ground.data_set import data_set
from pipeline.inputs.feature_file import write_features
from pipeline.inputs.parquet import write_table
from tests.faults.experiment import ROOT, Experiment, Outcome

Run = Callable[[int, Path], Outcome]
DATA = data_set("crisismmd")
COMMAND = (sys.executable, "-m", "stages.train", DATA.name)
RESULTS = ("models", "plots")
CHECKPOINTS = Path("cache/checkpoints")
# A row for each epoch that has ended.
LOG = Path("plots", DATA.name, "live/plots/metrics/loss/validation_relative.tsv")


def write_features_and_labels(project: Path) -> None:
    """Write what the stage reads: noise with labels that noise can teach for some epochs."""
    rng, ids = np.random.default_rng(0), [f"{k:03}" for k in range(300)]
    for modality, dim in (("text", 64), ("visual", 96)):
        arrays = ((name, rng.normal(size=(1, dim)).astype(np.float32)) for name in ids)
        write_features(project / DATA.features(modality), arrays, dim, {})
    labels = {task: pd.array(rng.integers(0, 2, len(ids)), "Int64") for task in ("flood", "fire")}
    split = [("train", "train", "train", "val", "test")[k % 5] for k in range(len(ids))]
    write_table(project / DATA.index, pd.DataFrame({"id": ids, "split": split, **labels}))
    tasks = [{"name": task, "classes": ["no", "yes"], "negative": "no"} for task in labels]
    (project / DATA.tasks).write_text(json.dumps(tasks))
    shutil.copy(ROOT / "params.yaml", project)


def start(project: Path) -> subprocess.Popen[str]:
    """Start the stage, with a checkpoint after each epoch."""
    settings = {"PYTHONPATH": str(ROOT), "HGFN_CACHE": "cache", "HGFN_CHECKPOINT": "0"}
    return subprocess.Popen(
        COMMAND, cwd=project, env={**os.environ, **settings}, text=True, stdout=subprocess.PIPE
    )


def results(project: Path) -> dict[Path, bytes]:
    """Every file of the stage's outputs and of the checkpoints."""
    folders = [project / name for name in (*RESULTS, CHECKPOINTS)]
    files = (path for folder in folders for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(project): path.read_bytes() for path in files}


def epochs_logged(project: Path) -> int:
    log = project / LOG
    return len(log.read_text().splitlines()) - 1 if log.exists() else 0


def during_the_run(seconds: float) -> Callable[[Path], bool]:
    """Return a function that is true from that many seconds after the training's start on."""
    end: list[float] = []

    def due(project: Path) -> bool:
        if not end and (project / "plots").exists():
            end.append(time.monotonic() + seconds)
        return bool(end) and time.monotonic() >= end[0]

    return due


def during_a_write(epoch: int) -> Callable[[Path], bool]:
    """Return a function that is true while a checkpoint of that epoch or a later one is written."""

    def due(project: Path) -> bool:
        writing = any((project / CHECKPOINTS).glob(".*.part"))
        return writing and epochs_logged(project) >= epoch

    return due


def kills(aim: Callable[[random.Random, int, float], Callable[[Path], bool]]) -> Run:
    """Return an experiment: each try is one kill and one further run."""

    def run(tries: int, folder: Path) -> Outcome:
        write_features_and_labels(folder)
        with start(folder) as process:
            times = []
            for name in ("plots", "models"):  # made at the training's start and at its end
                while process.poll() is None and not (folder / name).exists():
                    time.sleep(0.01)
                times.append(time.monotonic())
            process.communicate()
        assert process.returncode == 0
        seconds, expected, epochs = times[1] - times[0], results(folder), epochs_logged(folder)
        rng, held, resumed = random.Random(tries), 0, []
        while len(resumed) < tries:
            for name in RESULTS:
                shutil.rmtree(folder / name)
            due = aim(rng, epochs, seconds)
            with start(folder) as process:
                while process.poll() is None and not due(folder):
                    time.sleep(0.0002)
                process.kill()
            if results(folder) == expected:  # it had done all its work
                continue
            done = epochs_logged(folder)
            output, _ = start(folder).communicate()
            _, _, rest = output.partition("resumes at epoch ")
            resumed.append(int(rest.split()[0]) if rest else 0)
            held += results(folder) == expected and resumed[-1] >= done - 1
        return Outcome(tries, held, f"resumed at epochs {sorted(resumed)} of {epochs}")

    return run


EXPERIMENTS = [
    Experiment(
        "a training killed at any moment resumes, losing at most the epoch that ended last and "
        "the one begun, and ends with the bytes of one that was not killed",
        short=1,
        long=20,
        run=kills(lambda rng, epochs, seconds: during_the_run(rng.uniform(0, seconds))),
    ),
    Experiment(
        "the same for a training killed while it writes a checkpoint",
        short=0,
        long=10,
        run=kills(lambda rng, epochs, seconds: during_a_write(rng.randrange(1, epochs - 1))),
    ),
]
