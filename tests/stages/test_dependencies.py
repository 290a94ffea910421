"""A stage re-runs when code that it uses changes: its imports lie below the folders it lists."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from ruamel.yaml import YAML

ROOT = Path(__file__).resolve().parents[2]
# runtime.py says where and how fast things run; params.yaml itself is tracked key by key; these
# two packages hold no code of their own.
FREE = {
    "pipeline/params.py",
    "pipeline/runtime.py",
    "pipeline/__init__.py",
    "pipeline/evaluation/__init__.py",
}
STAGES = {
    name: body.get("do", body)
    for file in ("dvc.yaml", "tables/dvc.yaml")
    for name, body in YAML(typ="safe").load(ROOT / file)["stages"].items()
}


def imports_of(path: Path) -> set[Path]:
    """The files of the project that one file imports."""
    names: set[str] = set()
    tree = ast.parse(path.read_text())
    # What a package imports only when it is asked for, no stage asks for.
    for node in tree.body if path == ROOT / "pipeline/__init__.py" else ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
        elif isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
    modules = [ROOT.joinpath(*name.split(".")) for name in names]
    # Importing a module runs the __init__.py of every package above it.
    packages = {folder for module in modules for folder in module.parents if ROOT in folder.parents}
    files = {module.with_suffix(".py") for module in modules}
    files |= {folder / "__init__.py" for folder in packages.union(modules)}
    if "import_module(" in path.read_text():  # a package that imports its own modules by name
        files |= set(path.parent.glob("*.py"))
    return {file for file in files if file.is_file()}


def closure(path: Path) -> set[Path]:
    files: set[Path] = set()
    waiting = {path}
    while waiting:
        file = waiting.pop()
        files.add(file)
        waiting |= imports_of(file) - files
    return files


@pytest.mark.parametrize("name", STAGES)
def test_a_stage_imports_only_what_it_depends_on(name: str) -> None:
    listed = {ROOT / entry for entry in STAGES[name]["deps"] if "${" not in entry}
    used = closure(ROOT / "stages" / f"{name}.py")
    missing = {file for file in used if not ({file, *file.parents} & listed)}
    assert {file.relative_to(ROOT).as_posix() for file in missing} <= FREE
