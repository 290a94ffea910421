"""Fusions by name, and their section of params.yaml."""

from __future__ import annotations

import re
import subprocess
import sys
from typing import Any

import pytest

from pipeline.models.fusion import FUSIONS, build_fusion, check_fusion, fusion_class

DIMS = {"visual": 7, "text": 5, "audio": 6}


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("hgnf", {}, f"name is 'hgnf' (did you mean hgfn?); allowed: {', '.join(FUSIONS)}"),
        (
            "matf",
            {"scenes": 1},
            "options.scenes (did you mean scene?); matf has the options channels, scene",
        ),
        ("cfc", {"align": "pad"}, "options.align; cfc has no options"),
        ("hgfn", {"align": "padd"}, "options.align is 'padd'; allowed: linear, pad"),
        ("hgfn", {"weight": True}, "options.weight is True; allowed: scalar, vector"),
        ("hgfn", {"channels": 2.0}, "options.channels is 2.0; allowed: whole numbers from 1"),
        ("gfn", {"hidden": True}, "options.hidden is True; allowed: whole numbers from 1"),
        ("hgfn", {"max_order": 0}, "options.max_order is 0; allowed: whole numbers from 1"),
    ],
)
def test_a_wrong_setting_of_params_yaml_is_named_by_its_key(
    name: str, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=re.escape(f"fusion.{message}") + "$"):
        check_fusion(name, 0.5, options)
    with pytest.raises(ValueError, match=re.escape(message)):
        build_fusion(name, DIMS, **options)


@pytest.mark.parametrize("name", ["matf", "cfc", "dmf"])
def test_theta_is_refused_where_it_would_have_no_effect(name: str) -> None:
    message = f"fusion.theta is 0.3, but {name} has no theta; set it to 0.5"
    with pytest.raises(ValueError, match=message):
        check_fusion(name, 0.3, {})
    with pytest.raises(ValueError, match=message):
        build_fusion(name, DIMS, theta=0.3)


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
        narrow, wide = (build_fusion(name, DIMS, width=width).joint_dim for width in (8, 12))
        assert wide / narrow == 12 / 8


def test_names_are_checked_without_importing_torch() -> None:
    code = (
        "import sys; from pipeline.models.fusion import check_fusion; "
        "check_fusion('hgfn', 0.5, {}); sys.exit('torch' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_no_modality_is_an_error() -> None:
    with pytest.raises(ValueError, match="at least one modality"):
        build_fusion("cfc", {})
