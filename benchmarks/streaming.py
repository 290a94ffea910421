"""Training with features that stay in their files: time of an epoch, and memory by rows."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.peak import peak_of
from benchmarks.problem import make_tasks
from benchmarks.timing import Effort, Line, Times, times_as_fast
from pipeline.inputs.feature_file import write_features
from pipeline.params import FusionParams, MTLParams, TrainParams
from pipeline.training.examples import Examples, load_examples
from pipeline.training.fit import make_repeatable, train
from pipeline.training.model import ModelSpec

TASKS, TIMES = 7, 10
# Encoder, and steps and width of each modality, as in the samples with 40 frames a clip.
SETS = {
    "clips": ("bigru", {"audio": (2, 1024), "text": (20, 256), "visual": (40, 2048)}),
    "tweets": ("pooled", {"text": (20, 256), "visual": (1, 2048)}),
}
SIZES = {"clips": 640, "tweets": 4000}  # and ten times as many
IN_MEMORY, STREAMED = "1TB", "0"


@dataclass(frozen=True)
class Data:
    """Feature files of made samples of one of SETS in a folder."""

    folder: Path
    rows: int
    name: str

    @property
    def encoder(self) -> Any:
        """How a sequence becomes one vector."""
        return SETS[self.name][0]

    @property
    def files(self) -> dict[str, Path]:
        """The file of each modality."""
        return {name: self.folder / f"{name}.h5" for name in SETS[self.name][1]}

    def write(self) -> Data:
        """Write the files."""
        rng = np.random.default_rng(0)
        for name, (steps, dim) in SETS[self.name][1].items():
            base = rng.standard_normal((steps, dim), np.float32)
            arrays = ((f"{row:08}", base * (1 + row % 7)) for row in range(self.rows))
            write_features(self.files[name], arrays, dim, {})
        return self

    def load(self, memory: str) -> Examples:
        """Load the examples with this HGFN_MEMORY."""
        os.environ["HGFN_MEMORY"] = memory
        rows, rng = np.arange(self.rows), np.random.default_rng(1)
        labels = {task.name: rng.integers(0, 2, self.rows) for task in make_tasks(TASKS)}
        sides = np.array(["train", "train", "train", "val", "test"])[rows % 5]
        index = pd.DataFrame({"id": [f"{row:08}" for row in rows], "split": sides, **labels})
        return load_examples(index, make_tasks(TASKS), self.files, self.encoder == "pooled")

    def forget(self) -> None:
        """Drop the files from the system's cache."""
        for path in self.files.values():
            with path.open("rb") as file:
                os.fsync(file.fileno())
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def measure(effort: Effort, sizes: Mapping[str, int] = SIZES) -> list[Line]:
    """Measure a set of clips (sequences) and one of tweets (pooled vectors)."""
    lines = []
    for name, rows in sizes.items():
        with tempfile.TemporaryDirectory() as folder:
            data = Data(Path(folder) / "few", rows, name).write()
            lines.append(_epoch_line(data, 1 + effort.of_seconds))
            large = Data(Path(folder) / "many", TIMES * rows, name).write()
            lines.append(_memory_line(data, large))
    return lines


def _epoch_line(data: Data, epochs: int) -> Line:
    memory, losses = train_epochs(data, IN_MEMORY, epochs)
    streamed, same_losses = train_epochs(data, STREAMED, epochs)
    cold, _ = train_epochs(data, STREAMED, epochs, data.forget)
    return Line(
        f"an epoch on {data.rows:,} {data.name} read from their files against held in memory",
        1 / times_as_fast(streamed, memory),
        1.15,
        at_least=False,
        detail=f"{streamed.median:.2f} s against {memory.median:.2f} s, "
        f"{cold.median:.2f} s where the system has not cached the files",
        exact=losses == same_losses,
    )


def train_epochs(
    data: Data, memory: str, epochs: int, between: Callable[[], None] = lambda: None
) -> tuple[Times, list[dict[str, float]]]:
    """Time each epoch but the first, which starts the readers; also returns all logged values."""
    make_repeatable()
    examples = data.load(memory)
    tasks = tuple(make_tasks(TASKS))
    fusion = FusionParams(name="hgfn", theta=0.5, width=256)
    mtl = MTLParams(name="dmtl", alpha=1.0, beta=2.0)
    spec = ModelSpec(examples.dims, data.encoder, tasks, fusion, mtl, dropout=0.5)
    params = TrainParams(
        learning_rate=0.0003,
        batch_size=64,
        max_epochs=epochs,
        patience=epochs,
        dropout=0.5,
        weight_decay=0.0,
        monitor="loss",
        modalities=["audio", "text", "visual"],
    )
    values, starts, ends = list[dict[str, float]](), list[float](), list[float]()

    def log(epoch: int, logged: dict[str, float]) -> None:
        ends.append(perf_counter())
        values.append(logged)
        between()
        starts.append(perf_counter())

    train(spec, examples, params, seed=0, log=log)
    return Times([end - start for start, end in zip(starts, ends[1:], strict=False)]), values


def _memory_line(few: Data, many: Data) -> Line:
    what = f"peak memory of a training on {many.rows:,} {many.name} against {few.rows:,}"
    if sys.platform != "linux":
        return Line(what, None, 1.1, at_least=False, detail="only Linux tells a process' peak")
    small, large = (peak_of(train_epochs, data, STREAMED, 1) for data in (few, many))
    size = sum(path.stat().st_size for path in many.files.values())
    return Line(
        what,
        large / small,
        1.1,
        at_least=False,
        detail=f"{large / 2**20:.0f} MiB against {small / 2**20:.0f} MiB; the larger files have "
        f"{size / 2**20:.0f} MiB",
    )
