"""Both dvc.yaml against the import graph: a stage re-runs when the code that it uses changes."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from dvc.dependency import ParamsDependency
from dvc.repo import Repo
from ruamel.yaml import YAML

from pipeline.datasets.sets import SETS

ROOT = Path(__file__).resolve().parents[2]
HOUSE = ("pipeline", "stages")
# Folders of cells, a list that grows with a parameter: DVC has no other way to depend on it. Their
# stages stop where a cell of that list is missing (tests/stages/tables).
CHECKED = ("tables/cells", "tables/times")
PIPELINES = ("dvc.yaml", "tables/dvc.yaml", *(f"tables/{name}/dvc.yaml" for name in SETS))
STAGES = {
    name if path == "dvc.yaml" else f"{path}:{name}": body
    for path in PIPELINES
    for name, body in YAML(typ="safe").load(ROOT / path)["stages"].items()
}


def files_of(module: str) -> list[Path]:
    """The files that importing a module runs: its packages' `__init__` and itself."""
    parts = module.split(".")
    packages = [Path(*parts[:i], "__init__.py") for i in range(1, len(parts) + 1)]
    candidates = [*packages, Path(*parts).with_suffix(".py")]
    return [path for path in candidates if (ROOT / path).is_file()]


def imports_of(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse((ROOT / path).read_text())):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module)
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
    return {name for name in names if name.split(".")[0] in HOUSE}


def runs_code(path: Path) -> bool:
    """Tell whether a file holds more than its docstring."""
    return len(ast.parse((ROOT / path).read_text()).body) > 1


def closure(module: str) -> set[str]:
    """Every file of the house that a module's import runs, directly or through others."""
    found: set[Path] = set()
    waiting = files_of(module)
    while waiting:
        path = waiting.pop()
        if path not in found:
            found.add(path)
            waiting += [file for name in imports_of(path) for file in files_of(name)]
    return {path.as_posix() for path in found if runs_code(path)}


def shortest(files: set[str]) -> list[str]:
    """Write a set of files as dvc.yaml should: a folder for a package used as a whole."""
    result = set(files)
    for folder in sorted({Path(file).parent for file in files}, key=lambda path: path.parts):
        inside = {path.relative_to(ROOT) for path in (ROOT / folder).rglob("*.py")}
        code = {path.as_posix() for path in inside if runs_code(path)}
        covered = any(Path(entry) in folder.parents for entry in result)
        if not covered and folder.as_posix() not in HOUSE and code <= files and len(code) > 1:
            result = {file for file in result if folder not in Path(file).parents}
            result.add(folder.as_posix())
    return sorted(result)


def listed(stage: str) -> list[str]:
    body = STAGES[stage].get("do", STAGES[stage])
    return sorted(dep for dep in body["deps"] if dep.startswith(HOUSE))


def module_of(stage: str) -> str:
    """The module that a stage runs: the word behind `python -m`."""
    return str(STAGES[stage].get("do", STAGES[stage])["cmd"]).split()[2]


@pytest.mark.parametrize("stage", sorted(STAGES))
def test_a_stage_lists_exactly_the_code_it_imports(stage: str) -> None:
    assert listed(stage) == shortest(closure(module_of(stage)))


def test_every_stage_module_is_a_stage_or_imported_by_one() -> None:
    reached = set().union(*(closure(module_of(stage)) for stage in STAGES))
    modules = {path.relative_to(ROOT).as_posix() for path in (ROOT / "stages").rglob("*.py")}
    assert modules - reached == {"stages/__init__.py", "stages/tables/__init__.py"}


def test_no_stage_depends_on_a_folder_that_other_stages_write() -> None:
    outs = {out for s in STAGES.values() for out in _paths(s.get("do", s).get("outs", []))}
    for stage in STAGES.values():
        for dep in stage.get("do", stage)["deps"]:
            assert not any(out.startswith(f"{dep}/") for out in outs) or dep in CHECKED, dep


def test_what_is_made_from_a_source_depends_on_its_fingerprint() -> None:
    made, written = STAGES["source"]["do"], "data/${item}.source.json"
    assert made["always_changed"]
    assert _paths(made["outs"]) == [written]
    assert STAGES["source"]["foreach"] == [*STAGES["download"]["foreach"], "weights"]
    assert written in STAGES["download"]["do"]["deps"]
    assert written.replace("${item}", "weights") in STAGES["weights"]["deps"]


def _paths(entries: list[str | dict[str, object]]) -> list[str]:
    return [entry if isinstance(entry, str) else next(iter(entry)) for entry in entries]


@pytest.fixture(scope="module")
def knobs() -> dict[str, set[str]]:
    """The parameters that each stage of the pipeline depends on, as DVC understands dvc.yaml."""
    stages = Repo(str(ROOT)).index.stages
    return {
        stage.addressing: {
            name for dep in stage.deps if isinstance(dep, ParamsDependency) for name in dep.params
        }
        for stage in stages
        if Path(stage.path).parent == ROOT
    }


@pytest.mark.parametrize(
    ("parameter", "expected"),
    [
        ("mtl", {"train@crisismmd", "train@youtube"}),
        ("fusion", {"train@crisismmd", "train@youtube"}),
        ("train", {"train@crisismmd", "train@youtube"}),
        ("seed", {"train@crisismmd", "train@youtube"}),
        ("evaluate", {"evaluate@crisismmd", "evaluate@youtube"}),
        ("features.visual.frames", {"visual@youtube"}),
        ("features.visual.size", {"visual@crisismmd", "visual@youtube"}),
        ("features.visual.precision", {"visual@crisismmd", "visual@youtube"}),
        ("features.text.precision", {"text@crisismmd", "text@youtube"}),
        ("features.text.layer", {"text@crisismmd", "text@youtube"}),
        ("features.text.model", {"weights"}),
        ("features.audio.layer", {"audio@youtube"}),
        ("features.weights", {"weights"}),
        ("data.crisismmd.labels", {"index@crisismmd"}),
        ("data.crisismmd.layout", {"index@crisismmd"}),
        ("data.crisismmd.split", {"index@crisismmd"}),
        ("data.youtube.split", {"index@youtube"}),
        ("data.crisismmd.source", {"download@crisismmd"}),
        ("data.youtube.source", {"download@youtube"}),
    ],
)
def test_a_parameter_reruns_only_the_stages_that_use_it(
    knobs: dict[str, set[str]], parameter: str, expected: set[str]
) -> None:
    assert {stage for stage, names in knobs.items() if parameter in names} == expected


FLOORS = [
    *(
        "kinds",
        "processes",
        "temporaries",
        "plain_hdf5",
        "progress",
        "params",
        "runtime",
        "datasets",
        "media",
        "extractors",
        "features",
        "models",
    ),
    *("mtl", "training", "evaluation", "doctor", "cli"),
]


@pytest.mark.parametrize("floor", FLOORS)
def test_a_floor_imports_only_what_stands_below_it(floor: str) -> None:
    house = ROOT / "pipeline"
    own = [*house.glob(f"{floor}.py"), *(house / floor).rglob("*.py")]
    used = {
        name.split(".")[1] for p in own for name in imports_of(p.relative_to(ROOT)) if "." in name
    }
    assert own
    allowed = set() if floor in ("models", "mtl") else set(FLOORS[: FLOORS.index(floor)])
    assert used <= allowed | {floor}
