from __future__ import annotations

from typing import Any

import torch
from hypothesis import given
from hypothesis import strategies as st

from pipeline.models.fusion.dmf import DMF

DIMS = {"a": 3, "b": 5, "c": 4}
WIDTH = 4


def reference(fusion: DMF, row: dict[str, torch.Tensor]) -> list[torch.Tensor]:
    """Shared vectors of one row with the given modalities, from the formulas."""
    P = dict(fusion.named_parameters())
    hidden, shared, levels = dict(row), None, []
    for depth, width in enumerate(fusion.level_dims):
        total = P[f"depths.{depth}.c"]
        for name in hidden:
            key = f"depths.{depth}.{{}}.{fusion.modalities.index(name)}"
            W, b = P[key.format("W") + ".weight"], P[key.format("W") + ".bias"]
            hidden[name] = torch.relu(W @ hidden[name] + b)
            total = total + P[key.format("U") + ".weight"] @ hidden[name]
        if shared is not None:
            total = total + P[f"depths.{depth}.P.weight"] @ shared
        shared = torch.relu(total) if row else torch.zeros(width).double()
        levels.append(shared)
    return levels


@given(count=st.integers(1, 5), data=st.data())
def test_equals_the_formulas_of_the_modalities_present(
    count: int, data: st.DataObject, filled: Any, batch: Any
) -> None:
    dims = {name: 2 + index for index, name in enumerate("abcde"[:count])}
    fusion = filled(DMF(dims, WIDTH))
    features = batch(dims, 2)
    chosen = st.sets(st.sampled_from(sorted(dims)))
    rows = [data.draw(chosen), data.draw(chosen)]
    out = fusion(features, {m: torch.tensor([m in row for row in rows]) for m in dims})
    for index, names in enumerate(rows):
        expected = reference(fusion, {m: features[m][index] for m in sorted(names)})
        for level, value in zip(out.levels, expected, strict=True):
            torch.testing.assert_close(level[index], value)
        torch.testing.assert_close(out.joint[index], expected[-1])


def zero(fusion: DMF, parts: list[str]) -> None:
    with torch.no_grad():
        for name, parameter in fusion.named_parameters():
            if any(name.startswith(part) for part in parts):
                parameter.zero_()


def test_joining_at_the_last_depth_alone_is_late_fusion(filled: Any, batch: Any) -> None:
    fusion = filled(DMF(DIMS, WIDTH))
    zero(fusion, ["depths.0.U", "depths.1.U", "depths.1.P", "depths.2.P"])
    features = batch(DIMS, 3)
    total = fusion.depths[2].c
    for m, name in enumerate(sorted(DIMS)):
        h = features[name]
        for depth in fusion.depths:
            h = depth.W[m](h).relu()
        total = total + fusion.depths[2].U[m](h)
    torch.testing.assert_close(fusion(features).joint, total.relu())


def test_joining_at_the_first_depth_alone_is_an_early_layer_and_a_perceptron(
    filled: Any, batch: Any
) -> None:
    fusion = filled(DMF(DIMS, WIDTH))
    zero(fusion, ["depths.1.U", "depths.2.U"])
    features = batch(DIMS, 3)
    first, second, third = fusion.depths
    s = first.c
    for m, name in enumerate(sorted(DIMS)):
        s = s + first.U[m](first.W[m](features[name]).relu())
    s = s.relu()
    s = (second.P(s) + second.c).relu()
    s = (third.P(s) + third.c).relu()
    torch.testing.assert_close(fusion(features).joint, s)


def test_levels_are_the_shared_layers_and_joint_the_last(batch: Any) -> None:
    fusion = DMF(DIMS).double()
    out = fusion(batch(DIMS, 2))
    assert fusion.level_dims == [512, 256, 128]
    assert fusion.joint_dim == 128
    assert torch.equal(out.joint, out.levels[-1])
