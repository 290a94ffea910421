"""docs/extending.md: the example works as it is written, as one file and one line."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TEXT = (ROOT / "docs" / "extending.md").read_text()

USE = """
import torch
from pipeline.models.fusion import FUSIONS, build_fusion, fusion_class
from pipeline.params import FusionParams, check_component

mean = FusionParams(name="mean", theta=0.5, width=8)
check_component("fusion", mean, FUSIONS, fusion_class)
fusion = build_fusion("mean", {"text": 3, "visual": 5}, width=8)
features = {"text": torch.randn(2, 3), "visual": torch.randn(2, 5)}
present = {"text": torch.tensor([True, False]), "visual": torch.tensor([True, True])}
joint = fusion(features, present).joint
assert joint.shape == (2, fusion.joint_dim)
torch.testing.assert_close(joint[1], fusion.projections[1](features["visual"])[1])
try:
    check_component("fusion", mean.model_copy(update={"theta": 0.3}), FUSIONS, fusion_class)
except ValueError as error:
    assert "mean has no theta" in str(error)
else:
    raise AssertionError("theta is dropped silently")
"""


def test_a_fusion_is_one_file_and_one_line(tmp_path: Path) -> None:
    name = re.search(r"`pipeline/models/fusion/(\w+)\.py`:", TEXT)
    module, line = re.findall(r"```python\n(.*?)```", TEXT, re.S)[:2]
    assert name is not None
    shutil.copytree(ROOT / "pipeline", tmp_path / "pipeline")
    package = tmp_path / "pipeline/models/fusion"
    (package / f"{name[1]}.py").write_text(module)
    registry = (package / "__init__.py").read_text()
    extended = registry.replace("FUSIONS = {\n", f"FUSIONS = {{\n{line}", 1)
    assert extended != registry
    (package / "__init__.py").write_text(extended)
    subprocess.run([sys.executable, "-c", USE], cwd=tmp_path, check=True, env={})
