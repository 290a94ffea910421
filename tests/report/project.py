"""A tiny data set with a model and all that the pipeline writes of it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from PIL import Image

from pipeline.evaluation.calibration import calibration_scores
from pipeline.evaluation.evaluate import Baseline, baseline_table, split_scores
from pipeline.evaluation.model_folder import write_decisions
from pipeline.evaluation.predictions import prediction_table, with_truth
from pipeline.evaluation.provenance import write_provenance
from pipeline.evaluation.scores import select
from pipeline.ground.data_set import DataSet, data_set
from pipeline.ground.failures import Failure, write_failures
from pipeline.inputs.feature_file import write_features
from pipeline.inputs.parquet import write_table
from pipeline.mtl import Task
from pipeline.params import FusionParams, MTLParams, load_params
from pipeline.report.page import build_page
from pipeline.training.examples import load_examples
from pipeline.training.model import ModelSpec, save_model
from pipeline.training.predict import final_probabilities

ROOT = Path(__file__).resolve().parents[2]
TASKS = (
    Task("informative", ("not_informative", "informative"), "not_informative"),
    Task("damage", ("little_or_no_damage", "mild_damage", "severe_damage"), "little_or_no_damage"),
    Task("flood", ("no", "yes"), "no", "sigmoid"),
)
# A script, an end of the page's own script, a change of direction, a formula, a very long one.
HOSTILE = (
    "<script>window.attacked = 1</script><img src=x onerror='window.attacked = 1'>",
    "</script></style>{{ 7 * 7 }} & \"quoted\" 'quoted'",
    "left \u202eright\x1b[31m\x00 end",
    '=HYPERLINK("http://example.invalid")',
    "x" * 10_000,
)
ROWS = 40


def write_project(
    texts: Sequence[str] = HOSTILE,
    absent: str | None = None,
    events: bool = True,
    positives: bool = True,
) -> DataSet:
    """Write a set of `ROWS` samples in the current folder, and return it.

    No sample has the modality `absent`, no event is known without `events`, and without
    `positives` no test sample is positive for `flood`.
    """
    data = data_set("crisismmd")
    index = _index(texts, absent, events, positives)
    write_table(data.index, index)
    data.tasks.write_text(json.dumps([asdict(task) for task in TASKS]))
    random = np.random.default_rng(0)
    for name in data.modalities:
        vectors = random.normal(size=(ROWS, 1, 8)).astype(np.float32)
        arrays = [None if name == absent or row % 9 == 8 else vectors[row] for row in range(ROWS)]
        write_features(data.features(name), zip(index["id"], arrays, strict=True), 8, {})
    failure = Failure("s003", "visual", "truncated", "a <b>file</b> \u202ethat ends early")
    write_failures(data.folder / "failures.csv", [failure])
    _photos(data, index)
    _results(data, index, [name for name in data.modalities if name != absent])
    return data


def _index(texts: Sequence[str], absent: str | None, events: bool, positives: bool) -> pd.DataFrame:
    random = np.random.default_rng(1)
    ids = [f"s{row:03}" for row in range(ROWS)]
    split = ["train"] * 14 + ["val"] * 6 + ["test"] * 20
    text = [texts[row % len(texts)] for row in range(ROWS)]
    index = pd.DataFrame({"id": ids, "group": ids, "split": split, "leaks": False})
    index["event"] = ["storm", "<b>quake</b>"] * (ROWS // 2) if events else None
    index["text"] = None if absent == "text" else text
    index["image"] = None if absent == "visual" else [f"{name}.jpg" for name in ids]
    for column in ("video", "audio", "start", "end"):
        index[column] = None
    for task in TASKS:
        index[task.name] = pd.array(random.integers(0, len(task.classes), ROWS), "Int64")
        index.loc[::7, task.name] = pd.NA
    if not positives:
        index.loc[index["split"] == "test", "flood"] = 0
    return index.astype(dict.fromkeys(("event", "text", "image", "video", "audio"), "string"))


def _photos(data: DataSet, index: pd.DataFrame) -> None:
    data.raw.mkdir(parents=True)
    random = np.random.default_rng(2)
    for path in index["image"].dropna():
        pixels = random.integers(0, 255, (24, 32, 3), np.uint8)
        Image.fromarray(pixels).resize((320, 240)).save(data.raw / path)


def _results(data: DataSet, index: pd.DataFrame, modalities: Sequence[str]) -> None:
    torch.manual_seed(0)
    fusion = FusionParams(name="hgfn", theta=0.5, width=8)
    mtl = MTLParams(name="dmtl", alpha=1.0, beta=2.0)
    spec = ModelSpec(dict.fromkeys(modalities, 8), "pooled", TASKS, fusion, mtl, dropout=0.1)
    networks = spec.build()
    features = {
        name: {"encoder": "elmo", "weights_origin": "untrained", "weights": "0" * 64}
        for name in modalities
    }
    folder = Path("models") / data.name
    save_model(folder, networks, spec, features=features, epochs=3, parameters=1234)
    examples = load_examples(index, TASKS, {m: data.features(m) for m in modalities}, pooled=True)
    probabilities = final_probabilities(networks, examples, TASKS)
    params = load_params(ROOT / "params.yaml")
    decisions = write_decisions(folder, TASKS, examples, probabilities, params.evaluate)
    thresholds = decisions.thresholds
    made_with = params.model_dump()
    write_provenance(folder, source="posts", params=made_with, files=[], index=index, tasks=TASKS)
    table = prediction_table(TASKS, examples, probabilities, decisions, [])
    path = Path("predictions") / f"{data.name}.parquet"
    write_table(path, with_truth(table, TASKS, examples))
    scores = split_scores(TASKS, examples, probabilities, thresholds)
    test = examples.rows("test")
    truth, tested = select(examples.targets, test), select(probabilities, test)
    for task in TASKS:
        scores[task.name] |= calibration_scores(truth[task.name], tested[task.name], 1.5)
    constant = {t.name: np.full((ROWS, len(t.classes)), 1 / len(t.classes)) for t in TASKS}
    plain = split_scores(TASKS, examples, constant, thresholds)
    named = ("majority", "text_linear", "best_single", *(f"single_{name}" for name in modalities))
    baseline = Baseline(TASKS, constant, thresholds)
    others = baseline_table(examples, dict.fromkeys(named, baseline))
    write_table(path.with_stem(f"{data.name}_baselines"), others)
    metrics = Path("metrics")
    metrics.mkdir()
    (metrics / f"{data.name}.json").write_text(json.dumps(scores))
    (metrics / f"{data.name}_baselines.json").write_text(json.dumps(dict.fromkeys(named, plain)))


def page_of(data: DataSet, **report: object) -> str:
    """Return the page of a set in the current folder; `report` changes that section of params."""
    params = load_params(ROOT / "params.yaml")
    chosen = params.report.model_copy(update=report)
    return build_page(data, params.model_copy(update={"report": chosen}))
