"""Where posts come from: folders of strangers."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from pipeline.prediction.material import folder_posts


@pytest.mark.parametrize("name", [b"a;b.jpg", b" a.jpg", b"bad\xff.jpg"])
def test_a_file_whose_name_no_manifest_could_hold_is_named(tmp_path: Path, name: bytes) -> None:
    (tmp_path / "good.jpg").write_bytes(b"x")
    (tmp_path / os.fsdecode(name)).write_bytes(b"x")
    shown = repr(os.fsdecode(name))[1:-1]
    with pytest.raises(ValueError, match=f"{re.escape(shown)}': its name has .*; rename it$"):
        folder_posts(tmp_path)
