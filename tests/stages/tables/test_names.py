"""Names of rows."""

from __future__ import annotations

import pytest

from pipeline.models.fusion import FUSIONS
from pipeline.mtl import METHODS
from stages.tables.names import parse_row


def test_every_fusion_goes_with_every_method() -> None:
    for fusion in FUSIONS:
        for method in METHODS:
            assert parse_row(f"{fusion}_{method}") == (fusion, method)


@pytest.mark.parametrize("row", ["hgfn", "hgfn_", "hgfn_lsew_dmtl", "lsew_hgfn", "", "HGFN_LSEW"])
def test_another_name_is_refused_with_all_that_are_allowed(row: str) -> None:
    with pytest.raises(ValueError, match=r"unknown row .*; allowed: .*hgfn.*matf.*dmtl"):
        parse_row(row)
