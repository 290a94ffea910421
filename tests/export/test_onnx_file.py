"""An ONNX file computes what torch does, whatever the network, the batch and the lengths."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from pipeline.export.onnx_file import inputs_of, onnx_contents, open_session
from pipeline.models.fusion import FUSIONS
from pipeline.models.standardise import Standardise
from pipeline.mtl import Task
from pipeline.params import FusionParams, MTLParams
from pipeline.training.examples import Examples
from pipeline.training.model import ModelSpec
from pipeline.training.predict import predict

ROOT = Path(__file__).resolve().parents[2]
TOLERANCE = 1e-5
MASK = {"mask": "channels"}
TASKS = (
    Task("kind", ("none", "flood", "fire"), negative="none"),
    Task("victim", ("absent", "present"), negative="absent", head="sigmoid"),
)
DIMS = {"visual": 5, "text": 4, "audio": 3}  # not in the order in which a fusion stores them
# Steps of each row, in the order of DIMS: one modality or several absent, then all of them.
LENGTHS = [(9, 5, 2), (0, 3, 1), (1, 1, 1), (0, 0, 4), (2, 0, 0), (0, 0, 0), (7, 9, 9)]
BATCHES = [[0, 1, 2, 3, 4, 5, 6], [2], [4], [5], [3, 5], [1, 2, 1, 2, 1, 2, 1, 2, 1]]


def spec_of(
    fusion: str,
    mtl: str = "lsew",
    encoder: Any = "pooled",
    dims: dict[str, int] = DIMS,
    members: int = 1,
    **options: Any,
) -> ModelSpec:
    settings = FusionParams(name=fusion, theta=0.5, width=8, options=options)
    method = MTLParams(name=mtl, alpha=1.0, beta=2.0, options={})
    return ModelSpec(dims, encoder, TASKS, settings, method, 0.5, 0.3, members)


def built(spec: ModelSpec) -> nn.ModuleList:
    """Networks with statistics, and with weights that keep the spread of what they read."""
    torch.manual_seed(0)
    networks = spec.build()
    for module in networks.modules():
        if isinstance(module, nn.BatchNorm1d):
            module.running_mean.normal_(std=0.3)
            module.running_var.uniform_(0.5, 2)
        elif isinstance(module, Standardise):
            module.mean.normal_()
            module.std.uniform_(0.5, 2)
        elif isinstance(module, nn.Linear):
            nn.init.kaiming_normal_(module.weight)
    return networks


def rows_of(spec: ModelSpec, lengths: list[tuple[int, ...]] = LENGTHS) -> Examples:
    rng = np.random.default_rng(1)
    sequences = {
        name: [3 * rng.normal(size=(row[place % 3], dim)).astype(np.float32) for row in lengths]
        for place, (name, dim) in enumerate(spec.modalities.items())
    }
    return Examples([str(n) for n in range(len(lengths))], np.array([]), sequences, {})


def assert_same_as_torch(spec: ModelSpec) -> None:
    networks, examples = built(spec), rows_of(spec)
    contents = onnx_contents(networks, spec, inputs_of(examples.sequences, np.arange(3)))
    session = open_session(contents)
    expected = predict(networks, examples, spec.tasks, np.arange(len(LENGTHS)))
    for task in spec.tasks:
        assert expected[task.name].std(axis=0).max() > 300 * TOLERANCE, "rows are alike"
        for batch in BATCHES:
            inputs = inputs_of(examples.sequences, np.array(batch))
            (values,) = session.run([f"{task.name}.probabilities"], inputs)
            assert values.dtype == np.float32
            np.testing.assert_allclose(values, expected[task.name][batch], rtol=0, atol=TOLERANCE)


@pytest.mark.parametrize("encoder", ["pooled", "bigru"])
@pytest.mark.parametrize("mtl", ["lsew", "mtinet", "single"])
@pytest.mark.parametrize("fusion", FUSIONS)
def test_probabilities_are_those_of_torch(fusion: str, mtl: str, encoder: str) -> None:
    # A recurrent encoder takes most of the time to export.
    dims = {"visual": 5, "text": 4} if encoder == "bigru" else DIMS
    assert_same_as_torch(spec_of(fusion, mtl, encoder, dims))


@pytest.mark.parametrize(
    ("fusion", "options"),
    [
        ("hgfn", {"align": "pad", "weight": "vector", "pairs": "ordered", "tri_weight": "q"}),
        ("hgfn", {"align": "plain", "weight": "attention", "gate": "sigmoid", "max_order": 5}),
        ("hgfn", {"vertex_weights": "uniform", "vertex_norm": "layer", "tri_weight": "scaled"}),
        ("hgfn", {"vertex_weights": "mean", "channels": 2}),
        ("matf", {"scene": "learned", "channels": 3}),
        ("gfn", {"hidden": 3}),
    ],
)
def test_every_option_of_a_fusion_is_exported(fusion: str, options: dict[str, Any]) -> None:
    dims = DIMS | {"depth": 2, "touch": 6}  # five, of which MATF's grid has an odd side
    assert_same_as_torch(spec_of(fusion, dims=dims, **options))


@pytest.mark.parametrize("fusion", FUSIONS)
def test_a_single_modality_is_exported(fusion: str) -> None:
    assert_same_as_torch(spec_of(fusion, dims={"text": 4}))


@pytest.mark.parametrize(
    "spec",
    [
        replace(spec_of("cfc"), mtl=MTLParams(name="mtinet", alpha=1.0, beta=2.0, options=MASK)),
        spec_of("projected", members=3),
        replace(spec_of("cfc"), tasks=(replace(TASKS[0], name="text"), TASKS[1])),
    ],
    ids=["mask over channels", "mean of members", "task with the name of a modality"],
)
def test_other_networks_are_exported(spec: ModelSpec) -> None:
    assert_same_as_torch(spec)


def test_padding_and_absent_rows_have_no_influence() -> None:
    spec = spec_of("hgfn", encoder="bigru", dims={"visual": 5, "text": 4})
    networks, examples = built(spec), rows_of(spec)
    inputs = inputs_of(examples.sequences, np.arange(len(LENGTHS)))
    session = open_session(onnx_contents(networks, spec, inputs))
    expected = session.run(None, inputs)
    for name in spec.modalities:
        for row, length in enumerate(inputs[f"{name}.length"]):
            inputs[name][row, length:] = np.nan
        longer = np.full_like(inputs[name], np.nan)
        inputs[name] = np.concatenate([inputs[name], longer], axis=1)
    for values, same in zip(session.run(None, inputs), expected, strict=True):
        np.testing.assert_allclose(values, same, rtol=0, atol=1e-6)


@pytest.mark.parametrize("encoder", ["pooled", "bigru"])
def test_a_modality_that_no_row_has_needs_no_step(encoder: str) -> None:
    spec = spec_of("hgfn", encoder=encoder, dims={"visual": 5, "text": 4})
    networks, examples = built(spec), rows_of(spec)
    inputs = inputs_of(examples.sequences, np.array([1, 3, 5]))  # none of them has a visual step
    session = open_session(onnx_contents(networks, spec, inputs))
    expected = session.run(None, inputs)
    inputs["visual"] = inputs["visual"][:, :0]
    for values, same in zip(session.run(None, inputs), expected, strict=True):
        np.testing.assert_allclose(values, same, rtol=0, atol=1e-6)


def test_the_file_says_what_its_inputs_and_outputs_are() -> None:
    spec = spec_of("cfc")
    networks, examples = built(spec), rows_of(spec)
    example = inputs_of(examples.sequences, np.arange(2))
    session = open_session(onnx_contents(networks, spec, example))
    inputs = {i.name: (i.type, i.shape) for i in session.get_inputs()}
    assert inputs == {
        "visual": ("tensor(float)", ["batch", "visual.steps", 5]),
        "text": ("tensor(float)", ["batch", "text.steps", 4]),
        "audio": ("tensor(float)", ["batch", "audio.steps", 3]),
        **{f"{name}.length": ("tensor(int64)", ["batch"]) for name in DIMS},
    }
    outputs = {o.name: o.shape for o in session.get_outputs()}
    assert outputs == {"kind.probabilities": ["batch", 3], "victim.probabilities": ["batch", 2]}
    described = json.loads(session.get_modelmeta().custom_metadata_map["hgfn"])
    assert described["format"] == 1
    assert described["modalities"] == DIMS
    assert [task["classes"] for task in described["tasks"]] == [
        ["none", "flood", "fire"],
        ["absent", "present"],
    ]


def test_the_same_model_gives_the_same_bytes_which_name_no_folder() -> None:
    spec = spec_of("hgfn", encoder="bigru", dims={"text": 4})
    networks, example = built(spec), inputs_of(rows_of(spec).sequences, np.arange(3))
    first, second = (onnx_contents(networks, spec, example) for _ in range(2))
    assert first == second
    assert str(ROOT).encode() not in first
