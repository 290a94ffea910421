"""docs/extending.md: each example works as it is written, as one file and one line."""

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

USE_ENCODER = """
import wave
from pathlib import Path
import numpy as np
from pipeline.extractors.registry import check_encoder, obtain, open_encoder
from pipeline.features.audio import AudioRecipe
from pipeline.features.cache import ItemCache
from pipeline.features.extract import extract_features
from pipeline.features.recipe import Item
from pipeline.inputs.feature_file import FeatureFile
from pipeline.params import AudioParams

params = AudioParams(encoder="levels", weights="untrained", layer="conv7")
check_encoder("audio", params)
obtain("audio", params, Path("weights"))
encoder, origin = open_encoder("audio", params, Path("weights"))
with wave.open("a.wav", "wb") as file:
    file.setparams((1, 2, 8000, 0, "NONE", ""))
    file.writeframes((np.resize([16384, -16384], 2000)).astype(np.int16).tobytes())
items = [Item("a", path=Path("a.wav"))]
failures = extract_features(
    AudioRecipe(encoder), items, [], Path("audio.h5"), ItemCache(Path("cache")), workers=1
)
(steps,) = FeatureFile(Path("audio.h5")).rows()
assert not failures
np.testing.assert_allclose(steps, [[0.5, 1], [0.5, 1], [0.125**0.5, 400 / 799]], atol=1e-6)
try:
    check_encoder("audio", params.model_copy(update={"layer": "conv5"}))
except ValueError as error:
    assert "levels has no layer" in str(error)
else:
    raise AssertionError("layer is dropped silently")
"""


def test_a_fusion_is_one_file_and_one_line(tmp_path: Path) -> None:
    extend(tmp_path, "models/fusion", "__init__.py", "FUSIONS = {\n")
    run(tmp_path, USE)


def test_an_encoder_is_one_file_and_one_line(tmp_path: Path) -> None:
    extend(tmp_path, "extractors", "registry.py", '    "audio": {\n')
    run(tmp_path, USE_ENCODER)


def extend(folder: Path, package: str, registry: str, table: str) -> None:
    """Copy the library, and add the page's file and line to a package."""
    pattern = rf"`pipeline/{package}/(\w+)\.py`:\n\n```python\n(.*?)```.*?```python\n(.*?)```"
    found = re.search(pattern, TEXT, re.S)
    assert found is not None
    name, module, line = found.groups()
    shutil.copytree(ROOT / "pipeline", folder / "pipeline")
    (folder / "pipeline" / package / f"{name}.py").write_text(module)
    path = folder / "pipeline" / package / registry
    text = path.read_text()
    assert table in text
    path.write_text(text.replace(table, table + line, 1))


def run(folder: Path, code: str) -> None:
    """Run a script in a folder; workers import it, so it is a file with a guarded main part."""
    body = "".join(f"    {line}\n" for line in code.strip().splitlines())
    (folder / "use.py").write_text(f"if __name__ == '__main__':\n{body}")
    subprocess.run([sys.executable, "use.py"], cwd=folder, check=True, env={})
