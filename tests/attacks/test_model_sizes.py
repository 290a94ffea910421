"""What a model's files, tasks.json and params.yaml state is bounded before it is allocated."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from pipeline.mtl import Task
from pipeline.params import FusionParams, MTLParams, load_params
from pipeline.training.model import ModelSpec, _digests, load_model, save_model
from pipeline.training.tasks import load_tasks
from tests.attacks.model_files import refusal

pytestmark = pytest.mark.usefixtures("bounded")

ROOT = Path(__file__).resolve().parents[2]
TASK = {"name": "a", "classes": ["n", "y"], "negative": "n", "head": "softmax"}
HUGE = 10**9


def with_spec(folder: Path, **changes: Any) -> None:
    """Write a model whose files state something else, with the right digests."""
    spec = ModelSpec(
        {"text": 3, "visual": 4},
        "pooled",
        (Task("a", ("n", "y"), "n"),),
        FusionParams(name="hgfn", theta=0.5, width=4),
        MTLParams(name="lsew", alpha=1.0, beta=2.0),
        dropout=0.1,
    )
    save_model(folder, spec.build(), spec)
    values = json.loads((folder / "config.json").read_text())
    del values["sha256"]
    if tasks := changes.pop("tasks", None):
        (folder / "labels.json").write_text(json.dumps(tasks))
    values["spec"] |= changes
    files = {name: (folder / name).read_bytes() for name in ("model.safetensors", "labels.json")}
    values["sha256"] = _digests(files, values)
    (folder / "config.json").write_text(json.dumps(values))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"modalities": {"text": HUGE}}, "modalities.text: Input should be less than or equal"),
        ({"modalities": {"../x": 3}}, "modalities.../x.[key]: String should match pattern"),
        ({"modalities": {f"m{k}": 3 for k in range(40)}}, "modalities: Dictionary should have at"),
        ({"fusion": {"name": "hgfn", "width": HUGE}}, "fusion.width: Input should be less than"),
        (
            {"fusion": {"name": "matf", "width": 4, "options": {"channels": HUGE}}},
            "fusion.options.channels: Value error, numbers up to 65536",
        ),
        ({"fusion": {"name": "os", "width": 4}}, "fusion.name is 'os'; allowed: hgfn"),
        ({"fusion": {"name": 10**6 * "x", "width": 4}}, "fusion.name: String should match"),
        (
            {"fusion": {"name": "hgfn", "width": 4, "options": {"a\nb": 1}}},
            "fusion.options.a\\nb.[key]: String should match",
        ),
        ({"tasks": [{**TASK, "negative": 10**6 * "x"}]}, "0.negative: String should have at"),
        *(
            ({"tasks": [{**TASK, "classes": ["n", name]}]}, "0.classes.1: String should")
            for name in ("\x1b[2J", "a\nb", "$\\frac$", "a|b", "\u202egpj.exe", "")
        ),
        ({"tasks": 1001 * [TASK]}, "content: List should have at most 1000 items"),
        ({"tasks": [TASK, TASK]}, "task names must differ; repeated: a"),
        ({"tasks": [{**TASK, "name": "../../x"}]}, "0.name: String should match pattern"),
        ({"tasks": [{**TASK, "code": "x"}]}, "0.code: Extra inputs are not permitted"),
        ({"depth": HUGE}, "depth: Extra inputs are not permitted"),
        ({"dropout": 1.0}, "dropout: Input should be less than 1"),
        ({"members": HUGE}, "members: Input should be less than or equal to 100"),
        ({"members": 0}, "members: Input should be greater than or equal to 1"),
    ],
)
def test_what_no_network_needs_is_refused(
    tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    file = "labels.json" if changes.keys() == {"tasks"} else "config.json"
    with_spec(tmp_path, **changes)
    assert refusal(lambda: load_model(tmp_path)).startswith(f"{tmp_path}/{file}: {message}")


@pytest.mark.parametrize(
    "changes",
    [
        {"fusion": {"name": "hgfn", "width": 1 << 16}},
        {"modalities": {"text": 1 << 16, "visual": 1 << 16}, "encoder": "bigru"},
        {"tasks": [{**TASK, "name": f"t{k}"} for k in range(1000)]},
        {"members": 100, "fusion": {"name": "hgfn", "width": 1 << 16}},
    ],
    ids=["width", "modalities", "tasks", "members"],
)
def test_sizes_that_are_not_those_of_the_weights_allocate_nothing(
    tmp_path: Path, changes: dict[str, Any]
) -> None:
    with_spec(tmp_path, **changes)
    line = refusal(lambda: load_model(tmp_path))
    assert line.startswith(f"{tmp_path}/model.safetensors: tensor ")
    assert line.endswith("not the weights of config.json")


@pytest.mark.parametrize(
    "name", ["../../x", "/etc/x", ".x", "a/b", "", "a\nb", "\x1b[2J", "a" * 201]
)
def test_a_tasks_name_never_leads_to_another_folder(tmp_path: Path, name: str) -> None:
    path = tmp_path / "tasks.json"
    path.write_text(json.dumps([{**TASK, "name": name}]))
    assert refusal(lambda: load_tasks(path)).startswith(f"{path}: 0.name: String should")


@pytest.mark.parametrize("name", ["flood_storm", "7", "Überschwemmung", "बाढ़", "rescue-effort"])
def test_a_tasks_name_may_be_of_any_script(tmp_path: Path, name: str) -> None:
    path = tmp_path / "tasks.json"
    path.write_text(json.dumps([{**TASK, "name": name}]))
    assert [task.name for task in load_tasks(path)] == [name]


BOMB = "a: &a [x, x]\n" + "".join(
    f"{chr(98 + k)}: &{chr(98 + k)} [{', '.join(9 * [f'*{chr(97 + k)}'])}]\n" for k in range(20)
)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: " + 5000 * "[" + 5000 * "]", "more than 8 levels"),
        ("a: " + 5000 * "{b: " + 5000 * "}", "more than 8 levels"),
        ("- " * 5000 + "a", "more than 8 levels"),
        (BOMB, "alias *a; write the value itself"),
        ("a: " + 5000 * "9", "of more than 3,000 characters"),
        ("seed: 0x" + 5000 * "f", "of more than 3,000 characters"),
        ('"a\\nb": 1', "a value of several lines"),
        ("\xff", "invalid start byte"),
    ],
    ids=["lists", "mappings", "items", "aliases", "digits", "hexadecimal", "key", "bytes"],
)
def test_a_yaml_file_that_is_an_attack_is_refused_at_once(
    tmp_path: Path, text: str, message: str
) -> None:
    path, start = tmp_path / "params.yaml", time.process_time()
    path.write_bytes(text.encode("latin-1"))
    line = refusal(lambda: load_params(path))
    assert line.startswith(f"{path}: ")
    assert message in line
    assert time.process_time() - start < 2


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("  width: 256", "  width: 1000000000", "fusion.width is 1000000000; allowed: less than"),
        (
            "  options: {}",
            "  options: {hidden: 1000000000}",
            "fusion.options.hidden is 1000000000; allowed: numbers up to 65536",
        ),
    ],
)
def test_the_parameters_sizes_are_bounded(tmp_path: Path, old: str, new: str, message: str) -> None:
    path = tmp_path / "params.yaml"
    path.write_text((ROOT / "params.yaml").read_text().replace(old, new, 1))
    assert refusal(lambda: load_params(path)).startswith(f"{path}: {message}")
