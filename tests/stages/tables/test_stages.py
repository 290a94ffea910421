"""The tables' dvc.yaml files as DVC reads them: a further seed or row costs only its own stages."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

ROOT = Path(__file__).resolve().parents[3]
# A process of its own: importing DVC warns, and warnings are errors here.
PROGRAM = """
import json
from dvc.repo import Repo
repo = Repo.init(no_scm=True)
told = {}
for folder in ("tables", "tables/crisismmd", "tables/youtube"):
    for stage in repo.stage.load_all(folder + "/dvc.yaml"):
        outs = sorted(str(out) for out in stage.outs)
        deps = sorted(str(dep) for dep in stage.deps)
        told[folder + ":" + stage.name] = [stage.cmd, deps, outs]
print(json.dumps(told))
"""


def stages(folder: Path, **changes: Any) -> dict[str, Any]:
    yaml = YAML(typ="safe")
    for path in ("tables/dvc.yaml", "tables/crisismmd/dvc.yaml", "tables/youtube/dvc.yaml"):
        (folder / path).parent.mkdir(parents=True)
        shutil.copy(ROOT / path, folder / path)
    shutil.copy(ROOT / "params.yaml", folder)
    values = yaml.load(ROOT / "tables" / "params.yaml") | changes
    yaml.dump(values, folder / "tables" / "params.yaml")
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], cwd=folder, capture_output=True, text=True, check=True
    )
    told: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return told


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    rows = ["cfc_lsew", "hgfn_dmtl"]
    return stages(
        tmp_path_factory.mktemp("before") / "p", rows=rows, tuning_seed=0, further_seeds=["1-2"]
    )


def test_each_tuning_and_each_further_span_is_a_stage_of_its_own(before: dict[str, Any]) -> None:
    assert sum(":cells@" in name for name in before) == 2 * 2 * 1
    assert sum(":tune@" in name for name in before) == 2 * 2
    assert (
        before["tables/youtube:cells@hgfn_dmtl-1-2"][0]
        == "python -m stages.tables.cells youtube hgfn_dmtl 1-2"
    )


def test_a_tuning_makes_the_cell_of_its_seed(before: dict[str, Any]) -> None:
    made = before["tables/youtube:tune@hgfn_dmtl"][2]
    assert "tables/cells/youtube/hgfn_dmtl/0" in made
    assert "tables/youtube:cells@hgfn_dmtl-0" not in before


def test_a_further_seed_costs_its_own_cells(before: dict[str, Any], tmp_path: Path) -> None:
    after = stages(tmp_path / "p", rows=["cfc_lsew", "hgfn_dmtl"], further_seeds=["1-2", 3])
    assert {name for name in after if name not in before} == {
        f"tables/{data}:cells@{row}-3"
        for data in ("crisismmd", "youtube")
        for row in ("cfc_lsew", "hgfn_dmtl")
    }
    assert all(after[name] == stage for name, stage in before.items())


def test_a_span_made_longer_costs_all_of_its_cells(before: dict[str, Any], tmp_path: Path) -> None:
    after = stages(tmp_path / "p", rows=["cfc_lsew", "hgfn_dmtl"], further_seeds=["1-3"])
    gone, new = set(before) - set(after), set(after) - set(before)
    assert all(":cells@" in name and name.endswith("-1-2") for name in gone)
    assert new == {name.removesuffix("-2") + "-3" for name in gone}


def test_a_further_row_costs_its_tuning_and_its_cells(
    before: dict[str, Any], tmp_path: Path
) -> None:
    after = stages(tmp_path / "p", rows=["cfc_lsew", "hgfn_dmtl", "gfn_moo"], further_seeds=["1-2"])
    assert all("gfn_moo" in name for name in after if name not in before)
    assert all(after[name] == stage for name, stage in before.items())


def test_a_cell_depends_on_its_own_rows_tuning_and_on_no_other_output(
    before: dict[str, Any],
) -> None:
    made = {out for _, _, outs in before.values() for out in outs}
    for name, (_, deps, _) in before.items():
        if name.startswith("tables/youtube:cells@"):
            row = name.partition("@")[2].removesuffix("-1-2")
            assert made & set(deps) == {f"tables/tuned/youtube/{row}.json"}


def test_training_times_are_no_input_of_the_tables(before: dict[str, Any]) -> None:
    assert "tables/times" not in before["tables:report"][1]
    assert "tables/times" in before["tables:costs"][1]
