"""A stage re-runs when code that it uses changes: its imports lie below the folders it lists."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from ruamel.yaml import YAML

ROOT = Path(__file__).resolve().parents[2]
# runtime.py says where and how fast things run; params.yaml itself is tracked key by key.
FREE = {"pipeline/params.py", "pipeline/runtime.py"}
STAGES = {
    name: body.get("do", body)
    for name, body in YAML(typ="safe").load(ROOT / "dvc.yaml")["stages"].items()
}


def imports_of(path: Path) -> set[Path]:
    """The files of the house that one file imports."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
        elif isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
    files = [ROOT.joinpath(*name.split(".")).with_suffix(".py") for name in names]
    return {file for file in files if file.is_file()}


def closure(path: Path) -> set[Path]:
    found: set[Path] = set()
    waiting = {path}
    while waiting:
        file = waiting.pop()
        found.add(file)
        waiting |= imports_of(file) - found
    return found


@pytest.mark.parametrize("name", STAGES)
def test_a_stage_imports_only_what_it_depends_on(name: str) -> None:
    listed = {ROOT / entry for entry in STAGES[name]["deps"] if "${" not in entry}
    used = {file for file in closure(ROOT / "stages" / f"{name}.py")}
    missing = {file for file in used if not ({file, *file.parents} & listed)}
    assert {file.relative_to(ROOT).as_posix() for file in missing} <= FREE
