"""The page holds the metrics' numbers, and no text from outside can do harm in it."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from pipeline.extractors.encoder import file_digest
from pipeline.ground.failures import Failure, write_failures
from pipeline.ground.messages import UNSAFE
from pipeline.inputs.parquet import read_table, write_table
from tests.report.project import HOSTILE, TASKS, page_of, write_project

CELL = re.compile(r'data-score="(\w+)">([\d.]+|–)')  # noqa: RUF001


def numbers(page: str, task: str, model: str) -> dict[str, str]:
    """The scores in a model's line of a task's table."""
    table = re.search(rf'<table data-task="{task}".*?</table>', page, re.S)
    assert table
    line = re.search(rf'data-model="{model}".*?</tr>', table[0], re.S)
    assert line
    return dict(CELL.findall(line[0]))


def written(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"  # noqa: RUF001


@pytest.mark.parametrize("model", ["model", "majority", "text_linear"])
def test_the_tables_hold_the_numbers_of_the_metrics(project: Path, model: str) -> None:
    page = page_of(write_project())
    if model == "model":
        scores = json.loads(Path("metrics/crisismmd.json").read_text())
    else:
        scores = json.loads(Path("metrics/crisismmd_baselines.json").read_text())[model]
    for task in ("mean", *(task.name for task in TASKS)):
        shown = numbers(page, task, model)
        for score in ("f1", "hl", "map"):
            assert shown[score] == written(scores[task].get(score))


def test_the_same_inputs_give_the_same_bytes(project: Path) -> None:
    data = write_project()
    assert page_of(data) == page_of(data)


def test_texts_from_outside_stay_texts(project: Path) -> None:
    page = page_of(write_project())
    assert page.count("<script>") == 1
    assert "<script>window.attacked" not in page
    assert "<img src=x" not in page
    assert "<b>quake" not in page
    assert "<b>file" not in page
    assert "{{ 7 * 7 }}" in page


def test_unsafe_characters_are_shown_as_escapes(project: Path) -> None:
    page = page_of(write_project())
    assert not re.search(UNSAFE, page)
    assert r"left \u202eright\x1b[31m\x00 end" in page


def test_a_long_text_is_cut_and_its_length_told(project: Path) -> None:
    page = page_of(write_project())
    assert "x" * 601 not in page
    assert "(10,000 characters)" in page


@pytest.mark.parametrize("absent", ["text", "visual"])
def test_a_set_without_a_modality_has_a_page(project: Path, absent: str) -> None:
    page = page_of(write_project(absent=absent))
    other = {"text": "visual", "visual": "text"}[absent]
    assert re.search(rf'<th scope="row">{other}</th><td class="number">\d+</td>', page)


def test_a_set_without_events_has_no_table_of_them(project: Path) -> None:
    page = page_of(write_project(events=False))
    assert "By event" not in page
    assert 'id="event"' not in page


def test_a_task_without_a_positive_has_dashes_and_no_curve(project: Path) -> None:
    page = page_of(write_project(positives=False))
    assert numbers(page, "flood", "model")["map"] == written(None)
    assert "No test sample is positive, so there is no curve." in page


def test_pictures_are_left_out_on_demand(project: Path) -> None:
    data = write_project()
    assert "data:image/jpeg" in page_of(data)
    assert "data:image" not in page_of(data, thumbnails=False)


@pytest.mark.parametrize("count", [0, 1, 7, 20])
def test_so_many_samples_are_shown_as_params_says(project: Path, count: int) -> None:
    page = page_of(write_project(HOSTILE[3:4]), samples=count)
    assert page.count('<article class="card"') == count


def test_the_page_warns_of_untrained_encoders(project: Path) -> None:
    assert "Every encoder here is untrained" in page_of(write_project())


@pytest.mark.parametrize("name", ["crisismmd", "crisismmd_baselines"])
def test_a_missing_result_is_an_error_that_names_the_file_and_the_cure(
    project: Path, name: str
) -> None:
    data = write_project()
    Path(f"predictions/{name}.parquet").unlink()
    with pytest.raises(ValueError, match=rf"^predictions/{name}\.parquet is missing; run `dvc"):
        page_of(data)


@pytest.mark.parametrize("name", ["crisismmd", "crisismmd_baselines"])
def test_predictions_of_other_samples_are_an_error_that_names_the_file(
    project: Path, name: str
) -> None:
    data, path = write_project(), Path(f"predictions/{name}.parquet")
    write_table(path, read_table(path).iloc[1:])
    with pytest.raises(ValueError, match=rf"^predictions/{name}\.parquet and .* different samples"):
        page_of(data)


def test_the_page_has_a_digest_of_each_file_of_results(project: Path) -> None:
    page = page_of(write_project())
    for path in (*Path("predictions").iterdir(), *Path("metrics").iterdir()):
        assert f"{path.as_posix()}</dt><dd>SHA-256 <code>{file_digest(path)}" in page


def test_what_crashed_a_decoder_is_not_decoded_again(project: Path) -> None:
    data = write_project()
    before = page_of(data).count("data:image/jpeg")
    failures = [Failure("s030", "visual", "decoder_crashed", "died")]
    write_failures(data.folder / "failures.csv", failures)
    page = page_of(data)
    assert page.count("data:image/jpeg") == before - 1
    assert "Photo of sample s030" not in page


def test_scores_of_another_run_are_an_error_that_names_the_file(project: Path) -> None:
    data, path = write_project(), Path("metrics/crisismmd.json")
    scores = json.loads(path.read_text())
    del scores["flood"]
    path.write_text(json.dumps(scores))
    with pytest.raises(
        ValueError, match=r"^metrics/crisismmd\.json has no 'flood': of another run"
    ):
        page_of(data)
