"""Few labels, a split that leaks, and published figures, through training and evaluation."""

from __future__ import annotations

import io
import json
import shutil
from contextlib import redirect_stdout
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from pipeline.datasets.crisismmd import TASKS
from pipeline.datasets.index import COLUMNS
from pipeline.ground.data_set import data_set
from pipeline.ground.failures import write_failures
from pipeline.inputs.feature_file import write_features
from pipeline.inputs.parquet import write_table
from stages.evaluate import WITHOUT, evaluate
from stages.train import train

ROOT = Path(__file__).resolve().parents[2]
ROWS, LEAKING, SHOTS = 120, 4, 5
SOURCE = {"encoder": "hf:net", "weights_origin": "pretrained", "weights": "ab" * 32}
WEIGHTS = {"weights": "cd" * 32}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the stages before training make of a part of the official informative split."""
    folder = tmp_path_factory.mktemp("protocols")
    params = (ROOT / "params.yaml").read_text()
    for old, new in {
        "max_epochs: 100": "max_epochs: 2",
        "width: 256": "width: 8",
        "split: grouped\n    # the event": "split: official_informative\n    # the event",
        "shots: null": f"shots: {SHOTS}",
    }.items():
        assert params.count(old) == 1
        params = params.replace(old, new)
    (folder / "params.yaml").write_text(params)
    data, task = data_set("crisismmd"), TASKS[0]
    random = np.random.default_rng(2)
    sides = np.repeat(["train", "val", "test"], [80, 20, 20])
    labels = random.integers(0, 2, ROWS)
    table = pd.DataFrame({"id": [f"t{row:03d}" for row in range(ROWS)], "split": sides})
    table = table.assign(
        group=table["id"],
        text=[("all is well", "the river floods the town")[label] for label in labels],
        leaks=[row >= ROWS - LEAKING for row in range(ROWS)],
        informative=pd.array(labels, dtype="Int64"),
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for name in ("index", *data.modalities):
            write_failures(data.failures(name), [])
        for name in data.modalities:
            values = random.normal(size=(ROWS, 1, 4)).astype(np.float32) + labels[:, None, None]
            source = SOURCE if name == "text" else WEIGHTS
            write_features(data.features(name), zip(table["id"], values, strict=True), 4, source)
        write_table(data.index, table.reindex(columns=[*COLUMNS, "informative"]))
        data.tasks.write_text(json.dumps([task]))
    return folder


@pytest.fixture(scope="module")
def output(project: Path) -> str:
    printed = io.StringIO()
    threads, strict = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(printed):
        patch.chdir(project)
        patch.setenv("HGFN_CACHE", str(project / "cache"))
        train("crisismmd")
        evaluate("crisismmd")
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(strict)
    shutil.rmtree(project / "cache", ignore_errors=True)
    return printed.getvalue()


def test_training_sees_few_labels_and_says_so(project: Path, output: str) -> None:
    assert (
        f"crisismmd: train.shots: {SHOTS} labelled training samples a class, fewer where it has "
        f"fewer: informative {2 * SHOTS} labels; {2 * SHOTS} of 80 training samples are left; "
        "validation keeps all of its labels"
    ) in output
    facts = json.loads((project / "models/crisismmd/config.json").read_text())
    assert facts["labelled"] == {"informative": 2 * SHOTS}


def test_encoders_are_in_the_model_and_printed_by_both_stages(project: Path, output: str) -> None:
    facts = json.loads((project / "models/crisismmd/config.json").read_text())
    assert facts["features"] == {"text": SOURCE, "visual": WEIGHTS}
    line = "crisismmd: features: text of hf:net (pretrained), visual of unknown (unknown)\n"
    assert output.count(line) == 2


def test_baselines_learn_the_same_few_labels(project: Path, output: str) -> None:
    scores = json.loads((project / "metrics/crisismmd_baselines.json").read_text())
    index = pd.read_parquet(project / "data/crisismmd/index.parquet")
    means = index.groupby("split")["informative"].mean()
    # Most of all training labels are positive, of the few ones just half: a tie is decided for the
    # first class.
    assert means["train"] > 0.5
    assert means["test"] > 0.5
    assert scores["majority"]["informative"]["accuracy"] == 1 - means["test"]


def test_the_second_score_is_without_what_training_knows(project: Path, output: str) -> None:
    scores = json.loads((project / "metrics/crisismmd.json").read_text())
    assert set(scores) == {"informative", "mean", WITHOUT}
    assert set(scores[WITHOUT]) == {"informative", "mean"}
    assert scores["informative"]["support"] == 20
    assert scores[WITHOUT]["informative"]["support"] == 20 - LEAKING
    assert f"without the {LEAKING} test samples that share a tweet, photo or text" in output


def test_published_figures_are_listed_with_what_differs(project: Path, output: str) -> None:
    table = (project / "plots/crisismmd/figures/literature.md").read_text()
    assert "published figures are not comparable: plots/crisismmd/figures/literature.md" in output
    assert "comparable: informative" not in output
    line = next(line for line in table.splitlines() if "0.844" in line)
    assert line.endswith("test samples 1534, ours 20; shots all labels, ours 5 |")
