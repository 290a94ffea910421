"""Features that stay in their files give the same batches, models and scores as those in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import psutil
import pytest
import torch
from torch import nn

from pipeline.evaluation.baselines import concatenated_linear
from pipeline.inputs.feature_file import FeatureFile, write_features
from pipeline.mtl import Task
from pipeline.training.examples import Batch, Examples, load_examples
from pipeline.training.model import save_model
from pipeline.training.predict import predict

Load = Callable[[str, bool], Examples]
Run = Callable[..., Any]
ROWS = 50


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Files of three modalities: some samples lack the first two, and all of them the third."""
    folder, rng = tmp_path_factory.mktemp("features"), np.random.default_rng(0)
    lengths = {
        "text": [0 if row % 7 == 0 else 1 + row % 5 for row in range(ROWS)],
        "visual": [0 if row % 7 == 1 else 40 for row in range(ROWS)],
        "audio": [0] * ROWS,
    }
    dims = {"text": 3, "visual": 300, "audio": 2}
    for name, steps in lengths.items():
        arrays = [rng.normal(size=(n, dims[name])).astype(np.float32) if n else None for n in steps]
        ids = [f"r{row:03}" for row in range(ROWS)]
        write_features(folder / f"{name}.h5", zip(ids, arrays, strict=True), dims[name], {})
    return {name: folder / f"{name}.h5" for name in lengths}


@pytest.fixture(scope="module")
def load(files: dict[str, Path]) -> Load:
    """Load the files with a value of HGFN_MEMORY, sequences or pooled; examples are shared."""
    known: dict[tuple[str, bool], Examples] = {}

    def load(memory: str, pooled: bool) -> Examples:
        if (memory, pooled) not in known:
            with pytest.MonkeyPatch.context() as patch:
                patch.setenv("HGFN_MEMORY", memory)
                known[memory, pooled] = load_files(files, pooled)
        return known[memory, pooled]

    return load


def load_files(files: dict[str, Path], pooled: bool = False) -> Examples:
    row = np.arange(ROWS)
    labels = pd.DataFrame(
        {"useful": row % 2, "kind": row % 3, "victim": row // 2 % 2}, dtype="Int64"
    )
    labels.loc[row % 5 == 0] = pd.NA
    sides = np.array(["train", "train", "train", "val", "test"])[row // 6 % 5]
    index = pd.DataFrame({"id": [f"r{k:03}" for k in row], "split": sides}).join(labels)
    tasks = [Task(name, ("a", "b", "c")) for name in labels]
    return load_examples(index, tasks, files, pooled)


def values(batch: Batch) -> dict[str, torch.Tensor]:
    return {
        f"{kind} {name}": tensor
        for kind, tensors in vars(batch).items()
        for name, tensor in tensors.items()
    }


def damage(path: Path) -> None:
    """Flip a bit of the first chunk of the values."""
    chunk = FeatureFile(path).rows()
    assert chunk[0].size or chunk[1].size
    contents = bytearray(path.read_bytes())
    contents[contents.index(chunk[2].tobytes())] ^= 1
    path.write_bytes(contents)


@pytest.mark.parametrize("pooled", [True, False])
@pytest.mark.parametrize("seed", [None, 0])
def test_batches_are_the_same_bits(load: Load, pooled: bool, seed: int | None) -> None:
    memory, streamed = load("1GB", pooled), load("0", pooled)
    assert (memory.readers is None, streamed.readers is None) == (True, False)
    assert memory.dims == streamed.dims == {"text": 3, "visual": 300, "audio": 2}
    rows = memory.rows("train")
    for _ in range(2):  # epochs
        orders = [None if seed is None else np.random.default_rng(seed) for _ in range(2)]
        batches = zip(
            memory.batches(rows, 7, orders[0]), streamed.batches(rows, 7, orders[1]), strict=True
        )
        for one, other in batches:
            expected, read = values(one), values(other)
            assert expected.keys() == read.keys()
            assert all(torch.equal(expected[name], read[name]) for name in expected)
            assert not read["lengths audio"].any()


@pytest.mark.parametrize("encoder", ["pooled", "bigru"])
def test_models_and_probabilities_are_the_same_bytes(
    load: Load,
    run: Run,
    spec_of: Callable[..., Any],
    tasks: tuple[Task, ...],
    tmp_path: Path,
    encoder: str,
) -> None:
    probabilities = []
    for memory in ("1GB", "0"):
        data = load(memory, encoder == "pooled").keep(["text", "visual"])
        network, _, log = run(data, fusion="hgfn", mtl="dmtl", encoder=encoder)
        save_model(
            tmp_path / memory,
            nn.ModuleList([network]),
            spec_of(data.dims, encoder=encoder),
            log=log,
        )
        probabilities.append(predict([network], data, tasks, np.arange(ROWS)))
    for file in ("model.safetensors", "config.json", "labels.json"):
        assert (tmp_path / "1GB" / file).read_bytes() == (tmp_path / "0" / file).read_bytes()
    for name, expected in probabilities[0].items():
        np.testing.assert_array_equal(probabilities[1][name], expected)


def test_linear_baselines_are_the_same_bits(load: Load) -> None:
    task = Task("useful", ("a", "b", "c"))
    memory, streamed = (concatenated_linear([task], load(m, True)) for m in ("1GB", "0"))
    np.testing.assert_array_equal(memory["useful"], streamed["useful"])


@pytest.mark.parametrize("pooled", [True, False])
def test_features_stay_in_their_files_above_the_bound_and_this_is_said(
    files: dict[str, Path], monkeypatch: pytest.MonkeyPatch, pooled: bool
) -> None:
    opened = [FeatureFile(path) for path in files.values()]
    size = sum(4 * f.dim * int(f.present.sum() if pooled else f.offsets[-1]) for f in opened)
    for bound, memory in ((size, True), (size - 1, False)):
        monkeypatch.setenv("HGFN_MEMORY", str(bound))
        examples = load_files(files, pooled)
        assert (examples.readers is None) == memory
    assert examples.readers is not None
    assert "of features exceed HGFN_MEMORY: batches are read" in examples.readers.description


def test_a_damaged_chunk_ends_in_one_line_that_names_the_file(
    files: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copies = {name: tmp_path / path.name for name, path in files.items()}
    for name, copy in copies.items():
        copy.write_bytes(files[name].read_bytes())
    damage(copies["visual"])
    monkeypatch.setenv("HGFN_MEMORY", "0")
    with pytest.raises(ValueError, match=r"visual\.h5: not a readable HDF5 file") as caught:
        list(load_files(copies).batches(np.arange(ROWS), 8))
    assert "\n" not in str(caught.value)


def test_killed_readers_end_in_one_line_and_others_start(
    files: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HGFN_MEMORY", "0")
    examples = load_files(files)
    before = set(psutil.Process().children())
    batches = examples.batches(np.arange(ROWS), 1)
    next(batches)
    for process in set(psutil.Process().children()) - before:
        process.kill()
    with pytest.raises(ValueError, match="a process that reads features died") as caught:
        list(batches)
    assert "\n" not in str(caught.value)
    assert len(list(examples.batches(np.arange(ROWS), 25))) == 2


def test_an_abandoned_epoch_does_not_disturb_the_next(load: Load) -> None:
    streamed = load("0", False)
    abandoned: Iterator[Batch] = streamed.batches(np.arange(ROWS), 1)
    next(abandoned)
    del abandoned
    lengths = [int(b.lengths["text"][0]) for b in streamed.batches(np.arange(ROWS), 1)]
    assert lengths == [len(array) for array in load("1GB", False).sequences["text"]]
