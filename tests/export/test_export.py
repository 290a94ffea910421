"""`hgfn export` writes a file that was compared with torch, or one line that says why not."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from typer.testing import CliRunner

from pipeline.cli import app
from pipeline.export import onnx_file as module
from pipeline.training.model import load_model, save_model
from pipeline.training.predict import final_probabilities
from tests.training.conftest import TASKS, examples, make_spec

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "export.md").read_text()


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("model")
    torch.manual_seed(0)
    spec = make_spec(examples().dims, fusion="hgfn", members=2)
    save_model(folder, spec.build(), spec)
    return folder


def export(*arguments: str | Path) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["export", *map(str, arguments)])
    return result.exit_code, result.output


def refused(*arguments: str | Path) -> str:
    code, output = export(*arguments)
    assert code == 1
    assert output.count("\n") == 1
    return output


def test_the_file_holds_the_model_and_the_line_says_how_near_it_is(
    model: Path, tmp_path: Path
) -> None:
    file = tmp_path / "new folder" / "model.onnx"
    code, output = export(model, "--out", file)
    assert code == 0
    line = re.fullmatch(r"(.*): [\d.]+ \w+, differs from torch by at most (\S+)\n", output)
    assert line is not None
    assert line[1] == str(file)
    assert float(line[2]) < 1e-5
    networks, spec = load_model(model)
    data = examples(longest=3)
    row = 20
    inputs = {name: values[row][None] for name, values in data.sequences.items()}
    inputs |= {f"{n}.length": np.array([x.shape[1]]) for n, x in list(inputs.items())}
    values = onnxruntime.InferenceSession(file).run(None, inputs)
    expected = final_probabilities(networks, data, spec.tasks)
    for task, value in zip(TASKS, values, strict=True):
        np.testing.assert_allclose(value, expected[task.name][[row]], rtol=0, atol=1e-5)
    assert list(file.parent.iterdir()) == [file]


def test_a_person_sees_that_line_and_nothing_else(model: Path, tmp_path: Path) -> None:
    program = "from pipeline.cli import app; app()"
    command = [sys.executable, "-c", program, "export", model, "--out", "model.onnx"]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.stderr == ""
    assert re.fullmatch(r"model\.onnx: .*\n", done.stdout)


@pytest.mark.parametrize(
    ("difference", "shown"), [(2e-4, "by 2.0e-04, more than 1e-04"), (np.nan, "by nan")]
)
def test_a_difference_from_torch_is_refused(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, difference: float, shown: str
) -> None:
    def other(*arguments: object) -> dict[str, np.ndarray]:
        return {name: p + difference for name, p in final_probabilities(*arguments).items()}

    monkeypatch.setattr(module, "final_probabilities", other)
    file = tmp_path / "model.onnx"
    file.write_text("of before")
    output = refused(model, "--out", file)
    assert f"probabilities in ONNX differ from torch's {shown}" in output
    assert file.read_text() == "of before"
    assert list(tmp_path.iterdir()) == [file]


def test_wrong_names_are_refused_in_one_line(model: Path, tmp_path: Path) -> None:
    (tmp_path / "folder.onnx").mkdir()
    nothing, file = tmp_path / "nothing", tmp_path / "model.onnx"
    assert f"error: {nothing}: no model" in refused(nothing, "--out", file)
    assert "must end in .onnx" in refused(model, "--out", tmp_path / "model.pt")
    assert "folder.onnx is a folder" in refused(model, "--out", tmp_path / "folder.onnx")
    assert f"error: {tmp_path}" in refused(tmp_path, "--out", file)  # a folder without a model
    assert not file.exists()


@pytest.mark.parametrize("package", ["onnx", "onnxruntime"])
def test_a_missing_package_is_named_with_the_command_that_brings_it(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, package: str
) -> None:
    found: Callable[[str], object] = module.find_spec
    monkeypatch.setattr(module, "find_spec", lambda name: None if name == package else found(name))
    output = refused(model, "--out", tmp_path / "model.onnx")
    assert output == f'error: {package} is not installed; pip install -e ".[export]" brings it\n'


def test_the_example_of_the_page_runs(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert export(model, "--out", tmp_path / "crisismmd.onnx")[0] == 0
    monkeypatch.chdir(tmp_path)
    (example,) = re.findall(r"```python\n(.*?)```", PAGE, re.S)
    exec(example, {})
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == [task.name for task in TASKS]
