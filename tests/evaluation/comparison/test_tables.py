"""From cells to tables: complete, the same every time, and never of fewer cells than listed."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest
from ruamel.yaml import YAML

from pipeline.evaluation.comparison.tables import write_tables
from pipeline.evaluation.comparison.tuning import load_table_params
from pipeline.evaluation.scores import task_scores
from pipeline.ground.data_set import SETS
from pipeline.inputs.parquet import read_table, write_table
from pipeline.mtl import Task
from pipeline.params import load_params

DAMAGE = Task("damage", ("little", "mild", "severe"), negative="little")
RESULTS = Path("tables/results")
TABLES = RESULTS / "tables"


def write() -> None:
    write_tables(load_params(), load_table_params())


def content() -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in sorted(RESULTS.rglob("*")) if p.is_file()}


def test_every_table_comes_as_markdown_csv_and_picture_and_again_the_same(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write()
    assert len(capsys.readouterr().out.splitlines()) == 5
    first = content()
    names = {f"table_{n}.{kind}" for n in range(1, 6) for kind in ("md", "csv", "png")}
    assert set(first) == {*names, "costs.md", "costs.csv", "trials.csv"}
    write()
    assert content() == first


def test_a_csv_has_a_line_a_row_and_column_with_everything_beside_it(project: Path) -> None:
    write()
    means, concepts = (pd.read_csv(TABLES / f"table_{n}.csv") for n in (4, 5))
    assert len(means) == 3 * 3
    assert len(concepts) == 3 * 7
    assert {"mean", "sd", "low", "high", "paper", "parameters"} <= set(means.columns)
    assert (means["low"] <= means["mean"]).all()
    assert (means["mean"] <= means["high"]).all()
    dmf = means[means["row"] == "dmf_lsew"]
    assert dmf["paper"].isna().all()
    assert dmf["minus_cfc_lsew_mean"].notna().all()
    assert (dmf["learning_rate"] == 0.001).all()  # the better trial


def test_a_score_is_the_mean_of_the_metrics_over_seeds(project: Path) -> None:
    write()
    index = read_table(Path("data/crisismmd/index.parquet")).set_index("id")
    scores = []
    for seed in (0, 3):
        table = read_table(Path(f"tables/crisismmd/cells/hgfn_dmtl-{seed}-0.001.parquet"))
        table = table[index.loc[table["id"], "split"].to_numpy() == "test"]
        values = table[[c for c in table.columns if c.startswith("damage.p.")]].to_numpy()
        truth = index.loc[table["id"], "damage"].fillna(-1).to_numpy(int)
        scores.append(task_scores(DAMAGE, truth, values, values.argmax(axis=1)))
    table_3 = pd.read_csv(TABLES / "table_3.csv").set_index(["row", "score"])
    for score in ("f1", "hl", "map"):
        expected = sum(s[score] for s in scores) / 2
        assert table_3.loc[("hgfn_dmtl", score), "mean"] == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("training", ["hgfn_dmtl-7-0.0003", "hgfn_dmtl-3-0.001"])
def test_a_missing_cell_is_named_with_its_cure(project: Path, training: str) -> None:
    Path(f"tables/youtube/cells/{training}.json").unlink()
    with pytest.raises(ValueError, match=rf"{training}\.json is missing; run `dvc repro"):
        write()


def test_cells_of_another_index_are_refused(project: Path) -> None:
    path = project / "tables/crisismmd/cells/cfc_lsew-0-0.001.parquet"
    write_table(path, read_table(path).iloc[:-1])
    with pytest.raises(ValueError, match=r"cfc_lsew-0-0\.001 and .* hold different samples"):
        write()


def test_a_cell_that_is_not_listed_changes_nothing_and_is_logged(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write()
    first = content()
    path = project / "tables/youtube/cells/hgfn_dmtl-9-0.001.json"
    path.write_text("{}")
    write()
    assert (
        "tables/youtube/cells has 1 cells that tables/params.yaml does not list, the first is "
        "hgfn_dmtl-9-0.001; they are in no table\n"
    ) in capsys.readouterr().out
    assert content() == first


def test_the_notes_say_how_rows_were_tuned_and_what_is_not_comparable(project: Path) -> None:
    write()
    text = (TABLES / "table_1.md").read_text()
    assert text.startswith("# Table I: Data informative (CrisisMMD)\n")
    assert "learning rate: the best of 0.0003, 0.001 on validation with seed 7" in text
    assert "20 samples in 10 groups" in text
    assert "Seeds 0, 3; 100 resamples" in text
    assert "for comparison only" in text
    assert "- All networks: width 256, batch " in text
    assert "The sample's scores say nothing about disasters." in text


def test_a_concept_without_a_positive_test_row_is_named(project: Path) -> None:
    path = SETS["youtube"].index
    index = read_table(path)
    write_table(path, index.assign(victim=index["victim"].mask(index["split"] == "test", 0)))
    write()
    note = "- left out of the means, without a positive test row: victim\n"
    assert note in (TABLES / "table_4.md").read_text()
    assert "left out of the means" not in (TABLES / "table_1.md").read_text()


def test_controls_have_a_block_of_their_own_and_are_a_reference(project: Path) -> None:
    path = project / "tables/params.yaml"
    yaml = YAML(typ="safe")
    values = yaml.load(path)
    yaml.dump(values | {"rows": ["cfc_lsew", "hgfn_dmtl"], "ablation": ["projected_lsew"]}, path)
    for cell in project.glob("tables/*/cells/dmf_lsew-*"):
        cell.rename(cell.with_name(cell.name.replace("dmf", "projected")))
    write()
    text = (TABLES / "table_1.md").read_text()
    assert "## Ablation and controls\n\n" in text
    assert "## Paired differences to projected + LSEW\n" in text


def test_an_official_split_has_its_own_table_alone_and_says_so(project: Path) -> None:
    tasks = SETS["crisismmd"].tasks
    described = json.loads(tasks.read_text())
    tasks.write_text(json.dumps([t for t in described if t["name"] == "damage"]))
    yaml = YAML(typ="safe")
    values = yaml.load(project / "params.yaml")
    values["data"]["crisismmd"]["split"] = "official_damage"
    yaml.dump(values, project / "params.yaml")
    write()
    names = sorted(path.name for path in TABLES.glob("*.md"))
    assert names == ["table_3.md", "table_4.md", "table_5.md"]
    note = "Split: official_damage, the authors' of that one task, which leaks"
    assert note in (TABLES / "table_3.md").read_text()
    assert "Split:" not in (TABLES / "table_4.md").read_text()


def test_a_training_without_its_seconds_is_in_no_cost(project: Path) -> None:
    path = project / "tables/crisismmd/seconds.json"
    seconds = json.loads(path.read_text())
    del seconds["hgfn_dmtl-3-0.001"], seconds["dmf_lsew-0-0.001"], seconds["dmf_lsew-3-0.001"]
    path.write_text(json.dumps(seconds))
    write()
    lines = (RESULTS / "costs.md").read_text().splitlines()
    # 3.0 s a training of seven epochs for the first row, 1.5 s for the one that is known.
    assert "| HGFN + DMTL | 1,000 | 7.0 | 1.5 ± – | 0.50 |" in lines  # noqa: RUF001
    assert "| DMF + LSEW | 1,000 | 7.0 | – | – |" in lines  # noqa: RUF001


def test_costs_are_those_of_every_row_and_trials_those_of_the_tuning_seed(project: Path) -> None:
    write()
    assert len(pd.read_csv(RESULTS / "costs.csv")) == 2 * 3 * 2
    lines = (RESULTS / "costs.md").read_text().splitlines()
    assert "| HGFN + DMTL | 1,000 | 7.0 | 3.0 ± 2.1 | 1.00 |" in lines
    assert lines.count("| Method | parameters | epochs | seconds | time of an epoch |") == 2
    trials = pd.read_csv(RESULTS / "trials.csv")
    best = trials.loc[trials.groupby(["set", "row"])["map"].idxmax()]
    assert len(trials) == 2 * 3 * 2
    assert (best["learning_rate"] == 0.001).all()
