from __future__ import annotations

from typing import Any

import pytest
import torch

from pipeline.models.fusion import FUSIONS, build_fusion

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


def test_an_unknown_name_lists_what_is_allowed_and_guesses() -> None:
    with pytest.raises(ValueError, match=r"'hgnf' \(did you mean 'hgfn'\?\); allowed: .*cfc.*hgfn"):
        build_fusion("hgnf", DIMS)


def test_an_unknown_option_lists_what_is_allowed_and_guesses() -> None:
    with pytest.raises(ValueError, match=r"'gates' \(did you mean 'gate'\?\); allowed: align, "):
        build_fusion("hgfn", DIMS, gates="sigmoid")
    with pytest.raises(ValueError, match="unknown option of fusion 'cfc': 'gate'; allowed: none"):
        build_fusion("cfc", DIMS, gate="sigmoid")


def test_options_reach_the_fusion() -> None:
    assert build_fusion("hgfn", DIMS, width=12, max_order=2).level_dims == [12, 12]


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
