"""The control for HGFN: its projections, and nothing of its graph."""

from __future__ import annotations

from typing import Any

import torch

from pipeline.models.fusion.hgfn import HGFN
from pipeline.models.fusion.projected import Projected

DIMS = {"a": 3, "b": 5, "c": 4}


def test_joint_is_what_hgfns_graph_starts_from(batch: Any) -> None:
    hgfn, projected = HGFN(DIMS, width=6).double(), Projected(DIMS, width=6).double()
    projected.projections.load_state_dict(hgfn.projections.state_dict())
    rows = []
    hgfn.attention.register_forward_pre_hook(lambda _, inputs: rows.append(inputs[0]))
    features = batch(DIMS, 4)
    present = {name: torch.tensor([True, True, name != "b", name == "c"]) for name in DIMS}
    hgfn(features, present)
    assert torch.equal(projected(features, present).joint, rows[0].flatten(1))


def test_every_parameter_belongs_to_a_projection() -> None:
    names = [name for name, _ in Projected(DIMS, width=6).named_parameters()]
    assert names
    assert all(name.startswith("projections.") for name in names)
