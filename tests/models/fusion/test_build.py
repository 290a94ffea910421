from __future__ import annotations

import re
import subprocess
import sys
from typing import Any

import pytest
import torch

from pipeline.models.fusion import FUSIONS, build_fusion, check_fusion, fusion_class

DIMS = {"visual": 7, "text": 5, "audio": 6}


@pytest.mark.parametrize("name", sorted(FUSIONS))
@pytest.mark.parametrize("count", [1, 2, 3, 4, 5])
def test_every_fusion_takes_any_number_of_modalities(name: str, count: int, batch: Any) -> None:
    dims = {letter: 2 + index for index, letter in enumerate("edcba"[:count])}
    fusion = build_fusion(name, dims, width=8).double()
    out = fusion(batch(dims, 2))
    assert out.joint.shape == (2, fusion.joint_dim)
    assert [level.shape for level in out.levels] == [(2, dim) for dim in fusion.level_dims]
    assert fusion.modalities == tuple(sorted(dims))
    for key, names in fusion.vertices.items():
        assert out.weights[key].shape == (2, len(names))


@pytest.mark.parametrize("name", sorted(FUSIONS))
def test_a_batch_of_one_row_trains(name: str, batch: Any) -> None:
    fusion = build_fusion(name, DIMS, width=8).double().train()
    features = {key: x.requires_grad_() for key, x in batch(DIMS, 1).items()}
    fusion(features).joint.square().sum().backward()
    assert all(p.grad is None or p.grad.isfinite().all() for p in fusion.parameters())


@pytest.mark.parametrize("name", sorted(FUSIONS))
@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_a_batch_without_rows_gives_none(name: str, count: int, batch: Any) -> None:
    dims = {letter: 2 + index for index, letter in enumerate("abcd"[:count])}
    fusion = build_fusion(name, dims, width=8).double().eval()
    assert fusion(batch(dims, 0)).joint.shape == (0, fusion.joint_dim)


@pytest.mark.parametrize("name", sorted(FUSIONS))
def test_every_parameter_gets_a_gradient(name: str, batch: Any) -> None:
    torch.manual_seed(0)
    fusion = build_fusion(name, DIMS, width=8).double().train()
    features = {key: x.requires_grad_() for key, x in batch(DIMS, 16).items()}
    joint = fusion(features).joint
    (joint.square() * torch.rand_like(joint)).sum().backward()
    for key, parameter in fusion.named_parameters():
        assert parameter.grad is not None, key
        assert (parameter.grad != 0).any(), key


@pytest.mark.parametrize("name", sorted(FUSIONS))
def test_joint_depends_on_every_modality(name: str, batch: Any) -> None:
    fusion = build_fusion(name, DIMS, width=8).double().eval()
    features = {key: x.requires_grad_() for key, x in batch(DIMS, 2).items()}
    fusion(features).joint.square().sum().backward()
    for x in features.values():
        assert x.grad is not None
        assert (x.grad != 0).any()


@pytest.mark.parametrize("name", sorted(FUSIONS))
def test_modality_names_may_be_any_text(name: str) -> None:
    # A module attribute of these names exists already, and a dot is not allowed in one.
    dims = {"train": 2, "type": 3, "ELMo v1.0": 2}
    fusion = build_fusion(name, dims, width=8)
    fusion({key: torch.randn(2, dim) for key, dim in dims.items()})
    fusion.load_state_dict(fusion.state_dict())


def test_an_unknown_name_or_option_lists_what_is_allowed_and_guesses() -> None:
    with pytest.raises(ValueError, match=r"'hgnf' \(did you mean 'hgfn'\?\); allowed: hgfn, gfn"):
        build_fusion("hgnf", DIMS)
    with pytest.raises(ValueError, match=r"gates \(did you mean 'gate'\?\); hgfn has align, "):
        build_fusion("hgfn", DIMS, gates="sigmoid")
    with pytest.raises(ValueError, match=r"theta is 0\.3, but cfc has no theta"):
        build_fusion("cfc", DIMS, theta=0.3)


@pytest.mark.parametrize(
    ("name", "theta", "options", "message"),
    [
        (
            "hgnf",
            0.5,
            {},
            "fusion.name is 'hgnf' (did you mean 'hgfn'?); allowed: hgfn, gfn, matf, cfc, dmf",
        ),
        ("cfc", 0.3, {}, "fusion.theta is 0.3, but cfc has no theta; leave it at 0.5"),
        (
            "matf",
            0.5,
            {"scenes": "learned"},
            "unknown option fusion.options.scenes (did you mean 'scene'?); "
            "matf has channels, scene",
        ),
        ("cfc", 0.5, {"align": "pad"}, "unknown option fusion.options.align; cfc has no options"),
        (
            "hgfn",
            0.5,
            {"align": "padd"},
            "fusion.options.align is 'padd'; allowed: linear, pad",
        ),
        ("hgfn", 0.5, {"weight": True}, "fusion.options.weight is True; allowed: scalar, vector"),
        (
            "hgfn",
            0.5,
            {"channels": 2.0},
            "fusion.options.channels is 2.0; allowed: whole numbers from 1",
        ),
        ("gfn", 0.5, {"hidden": True}, "fusion.options.hidden is True; allowed: whole numbers"),
        ("hgfn", 0.5, {"max_order": 0}, "fusion.options.max_order is 0; allowed: whole numbers"),
    ],
)
def test_a_wrong_setting_of_params_yaml_is_named_by_its_key(
    name: str, theta: float, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=rf"^{re.escape(message)}"):
        check_fusion(name, theta, options)


@pytest.mark.parametrize("name", FUSIONS)
def test_every_declared_option_and_setting_reaches_the_fusion(name: str) -> None:
    fusion = fusion_class(name)
    for option, allowed in fusion.options.items():
        for value in allowed if isinstance(allowed, tuple) else (1, 2):
            check_fusion(name, 0.5, {option: value})
            build_fusion(name, DIMS, width=8, **{option: value})
    if "theta" in fusion.takes:
        check_fusion(name, 0.3, {})
        assert build_fusion(name, DIMS, width=8, theta=0.3).theta == 0.3
    if "width" in fusion.takes:
        assert set(build_fusion(name, DIMS, width=12).level_dims) == {12}


def test_names_are_checked_without_importing_torch() -> None:
    code = (
        "import sys; from pipeline.models.fusion import check_fusion; "
        "check_fusion('hgfn', 0.5, {}); sys.exit('torch' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_no_modality_and_no_feature_are_errors() -> None:
    with pytest.raises(ValueError, match="at least one modality"):
        build_fusion("cfc", {})
    with pytest.raises(ValueError, match=r"dims\['text'\] is 0"):
        build_fusion("cfc", {"text": 0})


@pytest.mark.parametrize("name", sorted(FUSIONS))
def test_features_of_other_modalities_or_widths_are_errors(name: str, batch: Any) -> None:
    fusion = build_fusion(name, DIMS, width=8).double()
    features = batch(DIMS, 2)
    with pytest.raises(ValueError, match=r"features\['text'\] is 4 wide, expected 5"):
        fusion(features | {"text": features["text"][:, :4]})
    del features["audio"]
    with pytest.raises(ValueError, match="features has"):
        fusion(features)
