"""Which cached faults a stage shall try again: told by `hgfn retry` through the environment."""

from __future__ import annotations

import os

from pipeline.ground.failures import check_kinds

VARIABLE = "HGFN_RETRY"


def retried_kinds() -> frozenset[str]:
    """Read the kinds to try again (HGFN_RETRY, separated by commas; none by default)."""
    kinds = frozenset(os.environ.get(VARIABLE, "").split(",")) - {""}
    check_kinds(sorted(kinds))
    return kinds
