from __future__ import annotations

import pytest

from pipeline.datasets.http.retry_after import retry_after


@pytest.mark.parametrize(
    "value",
    ["", "soon", "Mon, 01 Jan 2024 00:00:00 +99999999999999"],
)
def test_what_is_no_time_is_none(value: str) -> None:
    assert retry_after(value) is None


def test_a_date_that_has_passed_is_at_once() -> None:
    assert retry_after("Mon, 01 Jan 2024 00:00:00 GMT") == 0.0
