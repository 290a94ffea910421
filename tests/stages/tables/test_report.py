"""From cells to tables: complete, the same every time, and never of fewer cells than asked."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest
from ruamel.yaml import YAML

from pipeline.evaluation.scores import task_scores
from pipeline.ground.data_set import SETS
from pipeline.mtl import Task
from stages.tables import files
from stages.tables.report import report

DAMAGE = Task("damage", ("little", "mild", "severe"), negative="little")


def everything(folder: Path) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def test_every_table_comes_as_markdown_csv_and_picture(project: Path) -> None:
    report()
    names = {f"table_{n}.{kind}" for n in range(1, 6) for kind in ("md", "csv", "png")}
    assert set(everything(project / files.RESULTS)) == names


def test_the_same_cells_give_the_same_bytes(project: Path) -> None:
    report()
    first = everything(project / files.RESULTS)
    report()
    assert everything(project / files.RESULTS) == first


def test_a_csv_has_a_line_a_row_and_column_with_everything_beside_it(project: Path) -> None:
    report()
    means = pd.read_csv(files.TABLES / "table_4.csv")
    concepts = pd.read_csv(files.TABLES / "table_5.csv")
    assert len(means) == 3 * 3
    assert len(concepts) == 3 * 7
    assert {"mean", "sd", "low", "high", "paper", "parameters"} <= set(means.columns)
    assert (means["low"] <= means["mean"]).all()
    assert (means["mean"] <= means["high"]).all()
    dmf = means[means["row"] == "dmf_lsew"]
    assert dmf["paper"].isna().all()
    assert (dmf["reference"] == "cfc_lsew").all()


def test_a_score_is_the_mean_of_the_metrics_over_seeds(project: Path) -> None:
    report()
    index = pd.read_parquet("data/crisismmd/index.parquet").set_index("id")
    scores = []
    for seed in (0, 3):
        table = pd.read_parquet(files.place_of_one("crisismmd", "hgfn_dmtl", seed).probabilities)
        table = table[index.loc[table["id"], "split"].to_numpy() == "test"]
        shown = table[[c for c in table.columns if c.startswith("damage.p.")]].to_numpy()
        truth = index.loc[table["id"], "damage"].fillna(-1).to_numpy(int)
        scores.append(task_scores(DAMAGE, truth, shown, shown.argmax(axis=1)))
    found = pd.read_csv(files.TABLES / "table_3.csv").set_index(["row", "score"])
    for score in ("f1", "hl", "map"):
        expected = sum(s[score] for s in scores) / 2
        assert found.loc[("hgfn_dmtl", score), "mean"] == pytest.approx(expected, abs=1e-12)


def test_a_missing_cell_is_named_with_its_cure(project: Path) -> None:
    files.place_of_one("youtube", "hgfn_dmtl", 3).probabilities.unlink()
    with pytest.raises(ValueError, match=r"hgfn_dmtl/3/3\.parquet is missing; run `dvc repro"):
        report()


def test_cells_of_another_learning_rate_are_refused(project: Path) -> None:
    path = files.place_of_one("crisismmd", "hgfn_dmtl", 3).facts
    path.write_text(json.dumps({**json.loads(path.read_text()), "learning_rate": 0.5}))
    with pytest.raises(ValueError, match="crisismmd hgfn_dmtl: its seeds differ"):
        report()


def test_cells_of_another_index_are_refused(project: Path) -> None:
    path = files.place_of_one("crisismmd", "cfc_lsew", 0).probabilities
    pd.read_parquet(path).iloc[:-1].to_parquet(path, index=False)
    with pytest.raises(ValueError, match="different test samples"):
        report()


def test_a_cell_that_the_list_does_not_name_changes_nothing_and_is_told(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report()
    assert "no table shows" not in capsys.readouterr().out
    first = everything(project / files.RESULTS)
    old = files.place_of_one("youtube", "hgfn_dmtl", 3).probabilities
    other = files.place_of_one("youtube", "hgfn_dmtl", 9).probabilities
    other.parent.mkdir()
    other.write_bytes(old.read_bytes())
    report()
    told = "tables/cells/youtube/hgfn_dmtl/9 (1 such) is of no entry of tables/params.yaml"
    assert told in capsys.readouterr().out
    assert everything(project / files.RESULTS) == first


def test_the_caption_says_how_rows_were_tuned_and_what_is_not_comparable(project: Path) -> None:
    report()
    text = (files.TABLES / "table_1.md").read_text()
    assert "3 trials (0.0003, 0.001, 0.003)" in text
    assert "20 samples in 10 groups" in text
    assert "seeds 0, 3" in text
    assert "Shown, never targeted" in text


def test_an_official_split_has_its_own_table_alone_and_says_so(project: Path) -> None:
    chosen = SETS["crisismmd"]
    described = json.loads(chosen.tasks.read_text())
    chosen.tasks.write_text(json.dumps([t for t in described if t["name"] == "damage"]))
    yaml = YAML(typ="safe")
    values = yaml.load(project / "params.yaml")
    values["data"]["crisismmd"]["split"] = "official_damage"
    yaml.dump(values, project / "params.yaml")
    report()
    assert sorted(path.name for path in files.TABLES.glob("*.md")) == [
        *("table_3.md", "table_4.md", "table_5.md")
    ]
    told = "Split: official_damage, the authors' of that one task alone, which leaks"
    assert told in (files.TABLES / "table_3.md").read_text()
    assert "Split:" not in (files.TABLES / "table_4.md").read_text()
