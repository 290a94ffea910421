"""What holds for every fusion."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from pipeline.models.fusion import FUSIONS, build_fusion
from pipeline.models.fusion.base import Fusion
from pipeline.models.fusion.hgfn import HGFN

DIMS = {"visual": 7, "text": 5, "audio": 6}


@pytest.mark.parametrize("name", sorted(FUSIONS))
@pytest.mark.parametrize("count", [1, 2, 3, 4, 5])
def test_every_fusion_takes_any_number_of_modalities(
    name: str, count: int, batch: Any, small: Any
) -> None:
    dims = {letter: 2 + index for index, letter in enumerate("edcba"[:count])}
    fusion = small(name, dims)
    out = fusion(batch(dims, 2))
    assert out.joint.shape == (2, fusion.joint_dim)
    assert [level.shape for level in out.levels] == [(2, dim) for dim in fusion.level_dims]
    assert fusion.modalities == tuple(sorted(dims))
    for key, names in fusion.vertices.items():
        assert out.weights[key].shape == (2, len(names))


@pytest.mark.parametrize("name", sorted(FUSIONS))
@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_a_batch_without_rows_gives_none(name: str, count: int, batch: Any, small: Any) -> None:
    dims = {letter: 2 + index for index, letter in enumerate("abcd"[:count])}
    fusion = small(name, dims).eval()
    assert fusion(batch(dims, 0)).joint.shape == (0, fusion.joint_dim)


@pytest.mark.parametrize("name", sorted(FUSIONS))
def test_every_parameter_gets_a_gradient(name: str, batch: Any, small: Any) -> None:
    torch.manual_seed(0)
    fusion = small(name, DIMS).train()
    features = {key: x.requires_grad_() for key, x in batch(DIMS, 16).items()}
    joint = fusion(features).joint
    (joint.square() * torch.rand_like(joint)).sum().backward()
    for key, parameter in fusion.named_parameters():
        assert parameter.grad is not None, key
        assert (parameter.grad != 0).any(), key


@pytest.mark.parametrize("name", sorted(FUSIONS))
def test_one_row_gives_what_it_gives_in_a_batch(name: str, batch: Any, small: Any) -> None:
    fusion = small(name, DIMS).eval()
    features = batch(DIMS, 4)
    together = fusion(features)
    for row in range(4):
        alone = fusion({m: x[row : row + 1] for m, x in features.items()})
        torch.testing.assert_close(alone.joint[0], together.joint[row])
        for key, value in alone.weights.items():
            torch.testing.assert_close(value[0], together.weights[key][row])


@pytest.mark.parametrize("name", sorted(FUSIONS))
def test_order_of_the_given_dictionaries_does_not_matter(name: str, batch: Any, small: Any) -> None:
    features = batch(DIMS, 2)
    fusion, other = small(name, DIMS), small(name, dict(reversed(DIMS.items())))
    other.load_state_dict(fusion.state_dict())
    backwards = other(dict(reversed(features.items())))
    assert torch.equal(fusion(features).joint, backwards.joint)
    assert fusion.modalities == other.modalities == ("audio", "text", "visual")


@pytest.mark.parametrize("name", sorted(FUSIONS))
def test_modality_names_may_be_any_text(name: str) -> None:
    # A module attribute of these names exists already, and a dot is not allowed in one.
    dims = {"train": 2, "type": 3, "ELMo v1.0": 2}
    fusion = build_fusion(name, dims, width=8)
    fusion({key: torch.randn(2, dim) for key, dim in dims.items()})
    fusion.load_state_dict(fusion.state_dict())


@pytest.mark.parametrize("name", sorted(FUSIONS))
def test_features_of_other_modalities_or_widths_are_errors(
    name: str, batch: Any, small: Any
) -> None:
    fusion = small(name, DIMS)
    features = batch(DIMS, 2)
    with pytest.raises(ValueError, match=r"features\['text'\] is 4 wide, expected 5"):
        fusion(features | {"text": features["text"][:, :4]})
    del features["audio"]
    with pytest.raises(ValueError, match="features has"):
        fusion(features)


def gradients_match(fusion: Fusion, batch: Any) -> bool:
    features = batch(dict(zip(fusion.modalities, fusion.dims, strict=True)), 2)
    inputs = tuple(features[m].requires_grad_() for m in fusion.modalities)

    def joint(*values: torch.Tensor) -> torch.Tensor:
        return fusion(dict(zip(fusion.modalities, values, strict=False))).joint

    return torch.autograd.gradcheck(joint, (*inputs, *fusion.parameters()), fast_mode=True)


@pytest.mark.parametrize("name", sorted(set(FUSIONS) - {"cfc", "hgfn"}))
def test_gradients_match_finite_differences(name: str, batch: Any, small: Any) -> None:
    assert gradients_match(small(name, DIMS).eval(), batch)


def test_gradients_of_hgfn_match_finite_differences(
    hgfn_options: dict[str, str], filled: Any, batch: Any
) -> None:
    assert gradients_match(filled(HGFN(DIMS, width=7, **hgfn_options)), batch)
