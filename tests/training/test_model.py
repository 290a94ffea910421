"""A saved network is the same network when it is read again."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from pipeline.models.fusion import FUSIONS
from pipeline.models.standardise import Standardise
from pipeline.mtl import METHODS, Task
from pipeline.params import FusionParams, MTLParams
from pipeline.training.examples import Examples
from pipeline.training.model import (
    FORMAT,
    ModelSpec,
    fusion_settings,
    load_model,
    mtl_settings,
    read_config,
    save_model,
)
from pipeline.training.predict import predict

Make = Callable[..., Examples]
SpecOf = Callable[..., ModelSpec]


def build(spec: ModelSpec, data: Examples) -> nn.ModuleList:
    scales = {name: Standardise.fit(dim, data.sequences[name]) for name, dim in data.dims.items()}
    return nn.ModuleList(spec.build_network(scales) for _ in range(spec.members))


@pytest.mark.parametrize("encoder", ["pooled", "bigru"])
@pytest.mark.parametrize("mtl", ["lsew", "mtinet", "single"])  # each of another structure
@pytest.mark.parametrize("fusion", sorted(FUSIONS))
def test_a_saved_model_predicts_the_same_bits_when_read_again(
    make_examples: Make,
    spec_of: SpecOf,
    tasks: tuple[Task, ...],
    tmp_path: Path,
    encoder: str,
    mtl: str,
    fusion: str,
) -> None:
    data = make_examples(longest=1 if encoder == "pooled" else 3)
    spec = spec_of(data.dims, fusion=fusion, mtl=mtl, encoder=encoder, members=2)
    torch.manual_seed(1)
    networks = build(spec, data)
    save_model(tmp_path, networks, spec, epochs=3)
    again, read = load_model(tmp_path)
    assert read == spec
    rows = np.arange(12)
    expected = predict(networks, data, tasks, rows)
    for name, values in predict(again, data, tasks, rows).items():
        np.testing.assert_array_equal(values, expected[name])


@pytest.mark.parametrize("mtl", sorted(METHODS))
def test_dropout_reaches_the_inputs_and_the_heads_of_every_method(
    spec_of: SpecOf, tasks: tuple[Task, ...], mtl: str
) -> None:
    spec = spec_of({"text": 3}, mtl=mtl, dropout=0.25, input_dropout=0.5)
    layers = {n: m.p for n, m in spec.build().named_modules() if isinstance(m, nn.Dropout)}
    inputs = [rate for name, rate in layers.items() if name.endswith("input_dropout")]
    assert set(inputs) == {0.5}
    assert sorted(layers.values()) == [0.25] * (len(layers) - len(inputs)) + inputs
    assert len(layers) - len(inputs) >= len(tasks)


def test_the_same_network_gives_the_same_bytes(
    make_examples: Make, spec_of: SpecOf, tmp_path: Path
) -> None:
    data = make_examples()
    spec = spec_of(data.dims, fusion="hgfn", mtl="dmtl")
    networks = build(spec, data)
    for name in ("one", "two"):
        save_model(tmp_path / name, networks, spec, labelled={"b": 2, "a": 1})
    for file in ("model.safetensors", "config.json", "labels.json"):
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()


def test_facts_are_written_beside_the_spec(spec_of: SpecOf, tmp_path: Path) -> None:
    spec = spec_of({"text": 3})
    save_model(tmp_path, spec.build(), spec, epochs=7, positives={"kind": 3})
    described = json.loads((tmp_path / "config.json").read_text())
    assert (described["epochs"], described["positives"]) == (7, {"kind": 3})
    labels = json.loads((tmp_path / "labels.json").read_text())
    assert labels[2]["classes"] == ["absent", "present"]


@pytest.mark.parametrize(
    ("encoder", "mtl", "digest"),
    [
        ("pooled", "lsew", "48257fd7"),
        ("bigru", "lsew", "6412b079"),
        ("pooled", "mtinet", "81de687f"),
    ],
)
def test_other_parameters_are_another_format(
    spec_of: SpecOf, encoder: str, mtl: str, digest: str
) -> None:
    names = []
    for fusion in ("cfc", "dmf", "gfn", "hgfn", "matf", "projected"):
        spec = spec_of({"a": 3, "b": 4}, fusion=fusion, mtl=mtl, encoder=encoder, width=6)
        state = spec.build().state_dict()
        names += [f"{name} {tuple(value.shape)}" for name, value in sorted(state.items())]
    current = hashlib.sha256("\n".join(names).encode()).hexdigest()[:8]
    assert (FORMAT, current) == (7, digest), "raise FORMAT, then record this digest"


@pytest.mark.parametrize("other", [3, None, "7\nerror: x"])
def test_a_model_of_another_format_is_an_error(
    spec_of: SpecOf, tmp_path: Path, other: object
) -> None:
    spec = spec_of({"text": 3})
    save_model(tmp_path, spec.build(), spec)
    described = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps({**described, "format": other}))
    with pytest.raises(ValueError, match=r"^[^\n]*config\.json: not of format 7; train again$"):
        load_model(tmp_path)


@pytest.mark.parametrize("content", ["", "{", "[]", "\xff"])
def test_a_model_file_that_is_no_json_is_named(
    spec_of: SpecOf, tmp_path: Path, content: str
) -> None:
    spec = spec_of({"text": 3})
    save_model(tmp_path, spec.build(), spec)
    (tmp_path / "config.json").write_bytes(content.encode("latin-1"))
    with pytest.raises(
        ValueError, match=r"config\.json: content: .*; delete .*, then run `dvc repro`"
    ):
        load_model(tmp_path)


def test_another_fusion_or_method_has_its_own_options_and_the_shared_values() -> None:
    fusion = FusionParams(name="hgfn", theta=0.3, width=8, options={"align": "pad"})
    assert fusion_settings("hgfn", fusion) == fusion
    assert fusion_settings("gfn", fusion) == FusionParams(name="gfn", theta=0.3, width=8)
    assert fusion_settings("cfc", fusion) == FusionParams(name="cfc", theta=0.5, width=8)
    mtl = MTLParams(name="dmtl", alpha=0.5, beta=1.0, options={"rate": "raw"})
    assert mtl_settings("dmtl", mtl) == mtl
    assert mtl_settings("lsew", mtl) == MTLParams(name="lsew", alpha=1.0, beta=2.0)


def test_values_that_are_not_used_are_not_written(spec_of: SpecOf, tmp_path: Path) -> None:
    written = {}
    for name, spec in {
        "both": spec_of({"text": 3}, fusion="hgfn", mtl="dmtl"),
        "none": spec_of({"text": 3}, fusion="cfc", mtl="lsew"),
    }.items():
        save_model(tmp_path / name, spec.build(), spec)
        written[name] = json.loads((tmp_path / name / "config.json").read_text())["spec"]
        assert load_model(tmp_path / name)[1] == spec
    assert written["both"]["fusion"].keys() - written["none"]["fusion"].keys() == {"theta"}
    assert written["both"]["mtl"] == {"name": "dmtl", "alpha": 1.0, "beta": 2.0, "options": {}}
    assert written["none"]["mtl"] == {"name": "lsew", "options": {}}


@pytest.mark.parametrize("fusion", sorted(FUSIONS))
def test_all_tasks_share_one_layer_of_the_fusions_width_after_every_fusion(
    spec_of: SpecOf, fusion: str
) -> None:
    torch.manual_seed(0)
    dims = {"text": 3, "visual": 4}
    network = spec_of(dims, fusion=fusion, width=6).build_network()
    weight = network.trunk[0].weight
    assert len(weight) == 6
    inputs = {name: torch.randn(9, 1, dim) for name, dim in dims.items()}
    out = network.eval()(inputs, dict.fromkeys(dims, torch.ones(9, dtype=torch.int64)))
    for logits in out.logits.values():
        assert torch.autograd.grad(logits.sum(), weight, retain_graph=True)[0].any()


def test_the_methods_options_reach_the_heads(spec_of: SpecOf) -> None:
    mtl = MTLParams(name="mtinet", alpha=1.0, beta=2.0, options={"mask": "channels"})
    heads = spec_of({"text": 3, "visual": 4}, fusion="hgfn", mtl="mtinet", dropout=0.0)
    assert [block.over for block in replace(heads, mtl=mtl).build_network().heads.propagate] == [
        "channels"
    ]


@pytest.mark.parametrize("values", [{}, {"sha256": "x"}, {"sha256": {"labels.json": "x"}}])
def test_a_description_without_the_digest_of_the_weights_is_damaged(
    tmp_path: Path, values: dict[str, object]
) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"format": FORMAT, **values}))
    with pytest.raises(ValueError, match=r"config\.json: damaged \(no SHA-256 of model\."):
        read_config(tmp_path)
