"""The data sets in params.yaml: the two built-in ones, and those of a user's own."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.params import load_params
from tests.params_file import SHIPPED, changed, refusal


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "params.yaml"


def test_an_event_is_named_exactly_where_one_is_left_out(file: Path) -> None:
    assert "split: grouped\n    # the event" in SHIPPED
    event = SHIPPED.replace("split: grouped\n    # the event", "split: event\n    # the event")
    file.write_text(event.replace("test_event: null", "test_event: flood"))
    assert load_params(file).data.crisismmd.test_event == "flood"
    file.write_text(event)
    assert refusal(file) == (
        "data.crisismmd.test_event is missing; split: event needs the name of one"
    )
    changed(file, "test_event: null", "test_event: flood")
    assert refusal(file) == (
        "data.crisismmd.test_event is 'flood', but split is grouped; set it to null, or split to "
        "event"
    )


def test_a_set_of_ones_own_is_three_lines(file: Path) -> None:
    own = "data:\n  floods:\n    source: floods\n    split: grouped\n"
    data = load_params(changed(file, "data:\n", own)).data
    assert list(data.sources) == ["crisismmd", "youtube", "floods"]
    assert data.of("floods").source == "floods"
    with pytest.raises(ValueError, match=r"no data\.flods; .* one of crisismmd, youtube, floods"):
        data.of("flods")


def test_the_built_in_sets_may_be_absent(file: Path) -> None:
    start, end = SHIPPED.index("  crisismmd:\n"), SHIPPED.index("\n# Each modality has an encoder")
    own = "  floods: {source: floods, split: grouped}\n"
    data = load_params(changed(file, SHIPPED[start:end], own)).data
    assert data.sources == {"floods": "floods"}
    with pytest.raises(ValueError, match=r"has no data\.crisismmd; add it, or take one of floods"):
        data.of("crisismmd")


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ("Floods: {source: a, split: grouped}", "data.Floods is not a name for a data set; allo"),
        ("weights: {source: a, split: grouped}", "data.weights is not a name for a data set; allo"),
        ("../x: {source: a, split: grouped}", "data.../x is not a name for a data set; allow"),
        ("floods: {source: a}", "data.floods.split is missing; add it"),
        ("floods: {source: a, split: event}", "data.floods.split is 'event'; allowed: 'grouped'"),
        (
            "crisismdm: {source: a, split: grouped, labels: agreed}",
            "unknown key data.crisismdm.labels (known here: source, split); remove it or",
        ),
        ("floods: a.csv", "data.floods is 'a.csv'; allowed: a mapping of the keys source, split"),
        ("floods:", "data.floods is None; allowed: a mapping of the keys source, split"),
    ],
)
def test_a_wrong_section_of_a_set_names_its_key(file: Path, section: str, message: str) -> None:
    assert refusal(changed(file, "data:\n", f"data:\n  {section}\n")).startswith(message)


def test_a_built_in_set_without_a_value_is_refused(file: Path) -> None:
    start, end = SHIPPED.index("  youtube:\n"), SHIPPED.index("\n# Each modality has an encoder")
    message = refusal(changed(file, SHIPPED[start:end], "  youtube:\n"))
    assert message == "data.youtube is None; allowed: a mapping of the keys source, split"


def test_no_set_at_all_is_refused(file: Path) -> None:
    start, end = SHIPPED.index("data:\n"), SHIPPED.index("\n# Each modality has an encoder")
    message = refusal(changed(file, SHIPPED[start:end], "data: {}\n"))
    assert message == "data.crisismmd, youtube or another set is missing; add one"
