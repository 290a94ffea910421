"""The stage `params` refuses what does not fit before anything else runs."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from stages.params import params

SHIPPED = (Path(__file__).resolve().parents[2] / "params.yaml").read_text()


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("name: hgfn", "name: hgnf", "fusion.name is 'hgnf' (did you mean hgfn?)"),
        ("theta: 0.5", "theta: 1.5", "fusion.theta is 1.5; allowed: less than 1"),
        ("options: {}", "options: {algin: pad}", "unknown key fusion.options.algin"),
        ("name: dmtl", "name: dtml", "mtl.name is 'dtml'"),
    ],
)
def test_a_wrong_setting_is_an_error_that_names_its_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, old: str, new: str, message: str
) -> None:
    (tmp_path / "params.yaml").write_text(SHIPPED.replace(old, new, 1))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match=re.escape(message)):
        params()
    assert not (tmp_path / "data").exists()
