"""Fusions by name."""

from __future__ import annotations

import pytest

from pipeline.models.fusion import FUSIONS, build_fusion, fusion_class

DIMS = {"visual": 7, "text": 5, "audio": 6}


@pytest.mark.parametrize("name", FUSIONS)
def test_every_declared_option_and_setting_reaches_the_fusion(name: str) -> None:
    fusion = fusion_class(name)
    for option, allowed in fusion.options.items():
        for value in allowed if isinstance(allowed, tuple) else (1, 2):
            build_fusion(name, DIMS, width=8, **{option: value})
    if "theta" in fusion.takes:
        assert build_fusion(name, DIMS, width=8, theta=0.3).theta == 0.3
    if "width" in fusion.takes:
        narrow, wide = (build_fusion(name, DIMS, width=width).joint_dim for width in (8, 12))
        assert wide / narrow == 12 / 8


def test_an_unknown_name_an_unknown_option_and_no_modality_are_errors() -> None:
    with pytest.raises(ValueError, match="algin is not an option of HGFN"):
        build_fusion("hgfn", DIMS, algin="pad")
    with pytest.raises(ValueError, match="unknown fusion 'hgnf'; allowed: hgfn, gfn"):
        build_fusion("hgnf", DIMS)
    with pytest.raises(ValueError, match="at least one modality"):
        build_fusion("cfc", {})
