"""One flipped bit in any file that a later stage reads: an error, or the same result."""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from contextlib import chdir
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from pipeline.features.cache import Entry, ItemCache
from pipeline.ground.dvc_files import begin_stage, outputs, read_lock
from pipeline.inputs.feature_file import FeatureFile, write_features
from pipeline.inputs.parquet import read_table, write_table
from pipeline.mtl import Task
from pipeline.params import FusionParams, MTLParams
from pipeline.training.model import ModelSpec, load_model, save_model
from tests.faults.experiment import Experiment, Outcome
from tests.faults.project import make_project, python

ROWS, KEY = 200, "ab" * 32
SPEC = ModelSpec(
    modalities={"text": 16, "visual": 8},
    encoder="pooled",
    tasks=(Task("damage", ("none", "mild", "severe"), negative="none"),),
    fusion=FusionParams(name="hgfn", theta=0.5, width=8),
    mtl=MTLParams(name="dmtl", alpha=1.0, beta=2.0),
    dropout=0.5,
)

Make = Callable[[Path], None]
Use = Callable[[Path], object]


def numbers(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).normal(size=shape).astype(np.float32)


def make_table(folder: Path) -> None:
    columns = {
        "id": [f"{row:04}" for row in range(ROWS)],
        "text": [f"flood {number}" for number in numbers(ROWS)],
        "damage": pd.Series(np.arange(ROWS) % 3, dtype="Int64"),
        "damage.p.severe": numbers(ROWS),
    }
    write_table(folder / "table.parquet", pd.DataFrame(columns))


def use_table(folder: Path) -> object:
    return read_table(folder / "table.parquet").to_csv()


def make_model(folder: Path) -> None:
    torch.manual_seed(0)
    save_model(folder, SPEC.build(), SPEC, epochs=3)


def use_model(folder: Path) -> object:
    networks, spec = load_model(folder)
    return spec, {name: value.numpy().tobytes() for name, value in networks.state_dict().items()}


def make_features(folder: Path) -> None:
    arrays = ((f"{row:04}", numbers(4, 64)) for row in range(ROWS))
    write_features(folder / "text.h5", arrays, 64, {"modality": "text"})


def use_features(folder: Path) -> object:
    file = FeatureFile(folder / "text.h5")
    return file.ids, file.present.tolist(), [array.tobytes() for array in file.rows()]


def make_entry(folder: Path) -> None:
    ItemCache(folder).put(KEY, Entry(numbers(40, 64), ("truncated", "cut off")))


def use_entry(folder: Path) -> object:
    entry = ItemCache(folder).get(KEY)
    if entry is None or entry.array is None:
        raise ValueError("dropped, and made again")
    return entry.array.tobytes(), entry.failure


def flip(path: Path, chance: random.Random) -> bytes:
    """Flip one bit of a file, with its time unchanged; returns its bytes before."""
    whole, status = path.read_bytes(), path.stat()
    bit = chance.randrange(8 * len(whole))
    damaged = bytearray(whole)
    damaged[bit // 8] ^= 1 << bit % 8
    path.write_bytes(damaged)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    return whole


def flips(make: Make, use: Use, name: str, tries: int, folder: Path) -> Outcome:
    """Flip bits of one file, and read it as a stage does."""
    make(folder)
    expected, errors, same = use(folder), 0, 0
    (path,) = folder.rglob(name)
    for number in range(tries):
        whole = flip(path, random.Random(number))
        try:
            same += use(folder) == expected
        except (ValueError, OSError) as error:
            errors += "\n" not in str(error)
        path.write_bytes(whole)
    return Outcome(tries, errors + same, f"{errors} errors, {same} same result")


def inputs_of_stages(tries: int, folder: Path) -> Outcome:
    """Flip bits of photos, clips, tables and lists that DVC takes for unchanged."""
    make_project(folder)
    python(folder, "-m", "dvc", "repro", "-q")
    held = 0
    with chdir(folder):
        stages = read_lock(Path("dvc.lock"))
        written = [path for path, _ in outputs(stages) if path.name != "params.checked"]
        inside = (file for path in written for file in (path, *path.rglob("*")))
        files = sorted(file for file in inside if file.is_file() and file.stat().st_size)
        for number in range(tries):
            chance = random.Random(number)
            path = chance.choice(files)
            whole = flip(path, chance)
            held += any(_refuses(stage) for stage in stages)
            path.write_bytes(whole)
    return Outcome(tries, held, f"in {len(files)} files")


def _refuses(stage: str) -> bool:
    try:
        begin_stage(stage)
    except ValueError as error:
        return "not as its stage wrote it" in str(error)
    return False


FILES = {
    "the index, predictions or a comparison (Parquet)": (make_table, use_table, "table.parquet"),
    "a model's weights": (make_model, use_model, "model.safetensors"),
    "a model's description": (make_model, use_model, "config.json"),
    "a feature file": (make_features, use_features, "text.h5"),
    "an entry of the item cache": (make_entry, use_entry, KEY),
}
EXPERIMENTS = [
    Experiment(
        f"A flipped bit in {what} is an error of one line, or changes nothing",
        short=60,
        long=300,
        run=partial(flips, *how),
    )
    for what, how in FILES.items()
] + [
    Experiment(
        "A flipped bit in raw data, tables or lists, which DVC takes for unchanged, is an error of "
        "the stage that reads them",
        short=0,
        long=120,
        run=inputs_of_stages,
    )
]
