"""A saved network is the same network when it is read again."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from pipeline.models.fusion.build import FUSIONS
from pipeline.models.standardise import Standardise
from pipeline.mtl import METHODS, Task
from pipeline.training.examples import Examples
from pipeline.training.predict import predict
from pipeline.training.spec import FORMAT, ModelSpec, load_model, save_model

Make = Callable[..., Examples]


def scales(data: Examples) -> dict[str, Standardise]:
    return {name: Standardise.fit(dim, data.sequences[name]) for name, dim in data.dims.items()}


@pytest.mark.parametrize("encoder", ["pooled", "bigru"])
@pytest.mark.parametrize("mtl", sorted(METHODS))
@pytest.mark.parametrize("fusion", sorted(FUSIONS))
def test_a_saved_network_predicts_the_same_bits_when_read_again(
    make_examples: Make,
    tasks: tuple[Task, ...],
    tmp_path: Path,
    encoder: str,
    mtl: str,
    fusion: str,
) -> None:
    data = make_examples(longest=1 if encoder == "pooled" else 3)
    spec = ModelSpec(data.dims, encoder, tasks, fusion, 0.4, 6, mtl, 0.1)
    torch.manual_seed(1)
    network = spec.build(scales(data))
    save_model(tmp_path, network, spec, epochs=3)
    again, read = load_model(tmp_path)
    assert read == spec
    rows = np.arange(12)
    expected = predict(network, data, tasks, rows)
    for name, values in predict(again, data, tasks, rows).items():
        np.testing.assert_array_equal(values, expected[name])


@pytest.mark.parametrize("mtl", sorted(METHODS))
def test_dropout_reaches_the_heads_of_every_method(tasks: tuple[Task, ...], mtl: str) -> None:
    spec = ModelSpec({"text": 3}, "pooled", tasks, "cfc", 0.5, 6, mtl, 0.25)
    found = [m.p for m in spec.build().heads.modules() if isinstance(m, nn.Dropout)]
    assert len(found) >= len(tasks)
    assert set(found) == {0.25}


def test_the_same_network_gives_the_same_bytes(
    make_examples: Make, tasks: tuple[Task, ...], tmp_path: Path
) -> None:
    data = make_examples()
    spec = ModelSpec(data.dims, "pooled", tasks, "hgfn", 0.5, 6, "dmtl", 0.1)
    network = spec.build(scales(data))
    for name in ("one", "two"):
        save_model(tmp_path / name, network, spec, labelled={"b": 2, "a": 1})
    for file in ("model.safetensors", "model.json"):
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()


def test_facts_are_kept_beside_the_spec(tasks: tuple[Task, ...], tmp_path: Path) -> None:
    spec = ModelSpec({"text": 3}, "pooled", tasks, "cfc", 0.5, 6, "lsew", 0.1)
    save_model(tmp_path, spec.build(), spec, epochs=7, positives={"kind": 3})
    described = json.loads((tmp_path / "model.json").read_text())
    assert (described["epochs"], described["positives"]) == (7, {"kind": 3})
    assert described["spec"]["tasks"][2]["classes"] == ["absent", "present"]


@pytest.mark.parametrize(
    ("encoder", "mtl", "digest"),
    [
        ("pooled", "lsew", "fe059db8"),
        ("bigru", "lsew", "fbd0d944"),
        ("pooled", "mtinet", "a3e6ad4b"),
    ],
)
def test_other_parameters_are_another_format(
    tasks: tuple[Task, ...], encoder: str, mtl: str, digest: str
) -> None:
    names = []
    for fusion in sorted(FUSIONS):
        spec = ModelSpec({"a": 3, "b": 4}, encoder, tasks, fusion, 0.5, 6, mtl, 0.1)  # type: ignore[arg-type]
        state = spec.build().state_dict()
        names += [f"{name} {tuple(value.shape)}" for name, value in sorted(state.items())]
    found = hashlib.sha256("\n".join(names).encode()).hexdigest()[:8]
    assert (FORMAT, found) == (2, digest), "raise FORMAT, then record this digest"


@pytest.mark.parametrize("found", [0, 1, None])
def test_a_model_of_another_format_is_an_error(
    tasks: tuple[Task, ...], tmp_path: Path, found: int | None
) -> None:
    spec = ModelSpec({"text": 3}, "pooled", tasks, "cfc", 0.5, 6, "lsew", 0.1)
    save_model(tmp_path, spec.build(), spec)
    described = json.loads((tmp_path / "model.json").read_text())
    (tmp_path / "model.json").write_text(json.dumps({**described, "format": found}))
    with pytest.raises(ValueError, match=f"model.json: format {found}; train again"):
        load_model(tmp_path)
