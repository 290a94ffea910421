"""tables/params.yaml: as delivered, and with each thing that can be wrong in it."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.evaluation import paper
from stages.tables.knobs import load_knobs

ROOT = Path(__file__).resolve().parents[3]
DELIVERED = ROOT / "tables" / "params.yaml"


def changed(folder: Path, old: str, new: str) -> Path:
    text = DELIVERED.read_text()
    assert old in text
    path = folder / "params.yaml"
    path.write_text(text.replace(old, new, 1))
    return path


def test_the_delivered_file_has_the_papers_rows_two_of_dmf_and_five_seeds() -> None:
    knobs = load_knobs(DELIVERED)
    assert knobs.rows[:8] == list(paper.INFORMATIVE)
    assert knobs.rows[8:] == ["dmf_lsew", "dmf_dmtl"]
    assert knobs.seeds == [0, 1, 2, 3, 4]
    assert len(knobs.learning_rates) == 3
    assert knobs.resamples == 1000


SEEDS = "further_seeds: [1-4]"


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        (SEEDS, "further_seeds: [1, 1]", "further_seeds: seed 1 stands there twice"),
        (SEEDS, "further_seeds: [1-4, 3]", "further_seeds: seed 3 stands there twice"),
        (SEEDS, "further_seeds: []", "further_seeds: List should have at least 1 item"),
        (SEEDS, "further_seeds: [1, -1]", "further_seeds.1: -1 is no seed (5) and no span"),
        (SEEDS, "further_seeds: [1, 1.5]", "further_seeds.1: 1.5 is no seed (5) and no span"),
        (SEEDS, "further_seeds: [true]", "further_seeds.0: True is no seed (5) and no span"),
        (SEEDS, "further_seeds: [4-1]", "further_seeds.0: '4-1': a span ascends"),
        (SEEDS, "further_seeds: [0-2]", "further_seeds: 0 is the tuning_seed: its cell is there"),
        ("- cfc_lsew", "- cfc_lsow", "rows: unknown row 'cfc_lsow'"),
        ("resamples: 1000", "resamples: many", "resamples: "),
        ("resamples: 1000", "resample: 1000", "resample: Extra inputs"),
        ("[0.0003", "[.nan", "learning_rates.0: "),
    ],
)
def test_a_wrong_value_is_one_line_that_names_the_key(
    tmp_path: Path, old: str, new: str, told: str
) -> None:
    path = changed(tmp_path, old, new)
    with pytest.raises(ValueError, match=r"params\.yaml: ") as error:
        load_knobs(path)
    assert told in str(error.value)
    keys = [line.split(": ")[1] for line in str(error.value).splitlines()]
    assert len(keys) == len(set(keys))


def test_each_seed_has_the_place_of_its_span(tmp_path: Path) -> None:
    knobs = load_knobs(changed(tmp_path, SEEDS, "further_seeds: [1-2, 5]"))
    assert [(place.span, place.seed) for place in knobs.places("youtube", "hgfn_dmtl")] == [
        *(("0", 0), ("1-2", 1), ("1-2", 2), ("5", 5))
    ]
    assert knobs.seeds == [0, 1, 2, 5]


def test_numbers_follow_yaml_1_2(tmp_path: Path) -> None:
    path = changed(tmp_path, "[0.0003", "[3e-4")
    assert load_knobs(path).learning_rates[0] == 0.0003
