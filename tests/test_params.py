from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from pipeline.models.fusion import FUSIONS, fusion_class
from pipeline.mtl import METHODS, method_class
from pipeline.params import FusionParams, MTLParams, check_component, load_params
from tests.params_file import ROOT, SHIPPED, changed, refusal


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "params.yaml"


def test_the_shipped_file_fits_its_schema() -> None:
    params = load_params(ROOT / "params.yaml")
    assert (params.fusion.name, params.mtl.name, params.features.visual.frames) == (
        "hgfn",
        "dmtl",
        40,
    )
    assert params.train.modalities == ["visual", "text", "audio"]


@pytest.mark.parametrize("written", ["1e-4", "1.0e-4", "0.0001"])
def test_an_exponent_without_a_point_is_a_number(file: Path, written: str) -> None:
    params = load_params(changed(file, "learning_rate: 0.0003", f"learning_rate: {written}"))
    assert params.train.learning_rate == 1e-4


def test_a_whole_number_is_a_fraction_too(file: Path) -> None:
    assert load_params(changed(file, "alpha: 1.0", "alpha: 2")).mtl.alpha == 2.0


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("alpha: 1.0", "alpha: abc", "mtl.alpha is 'abc'; allowed: a valid number"),
        ("alpha: 1.0", 'alpha: "1.0"', "mtl.alpha is '1.0'; allowed: a valid number"),
        ("alpha: 1.0", "alpha: .inf", "mtl.alpha is inf; allowed: a finite number"),
        ("alpha: 1.0", "alpha: .nan", "mtl.alpha is nan; allowed: a finite number"),
        ("alpha: 1.0", "alpha: -1", "mtl.alpha is -1; allowed: greater than or equal to 0"),
        ("alpha: 1.0", "alpha:", "mtl.alpha is None; allowed: a valid number"),
        ("members: 1", "members: 0", "train.members is 0; allowed: greater than or equal to 1"),
        ("members: 1", "members: 101", "train.members is 101; allowed: less than or equal to 100"),
        ("members: 1", "members: 2.0", "train.members is 2.0; allowed: a valid integer"),
        ("seed: 0", "seed: true", "seed is True; allowed: a valid integer"),
        ("seed: 0", "seed: -1", "seed is -1; allowed: greater than or equal to 0"),
        ("seed: 0", f"seed: {2**32}", f"seed is {2**32}; allowed: less than {2**32}"),
        ("frames: 40", "frames: 40.0", "features.visual.frames is 40.0; allowed: a valid integer"),
        (
            "frames: 40",
            "frames: 0",
            "features.visual.frames is 0; allowed: greater than or equal to 1",
        ),
        ("theta: 0.5", "theta: 1", "fusion.theta is 1; allowed: less than 1"),
        ("theta: 0.5", "theta: 0", "fusion.theta is 0; allowed: greater than 0"),
        (
            "source: data/sample/youtube",
            "source: 3",
            "data.youtube.source is 3; allowed: a valid string",
        ),
        ("name: hgfn", "name: 3", "fusion.name is 3; allowed: a valid string"),
        (
            "  - audio",
            "  - smell",
            "train.modalities.2 is 'smell'; allowed: 'visual', 'text' or 'audio'",
        ),
        (
            "modalities:\n  - visual\n  - text\n  - audio",
            "modalities: []",
            "train.modalities is []; allowed: at least 1 item after validation, not 0",
        ),
        (
            "  alpha: 1.0",
            "  alhpa: 1.0\n  alpha: 1.0",
            "unknown key mtl.alhpa (did you mean alpha?); remove it or correct it",
        ),
        (
            "  alpha: 1.0",
            "  qqq: 1.0\n  alpha: 1.0",
            "unknown key mtl.qqq (known here: name, alpha, beta, options); remove it or correct it",
        ),
        (
            "seed: 0",
            "seed: 0\n1: 2",
            "unknown key 1 (known here: seed, data, features, fusion, mtl, train, evaluate, "
            "report); remove it or correct it",
        ),
        (
            "options: {}",
            "options: {align: [pad]}",
            "fusion.options.align is ['pad']; allowed: a short text, a number, true or false",
        ),
        ("  theta: 0.5\n", "", "fusion.theta is missing; add it"),
        (
            "features:\n",
            "features:\n  weights: untrained\n",
            "features.weights is no key any more; each modality has its own: "
            "features.visual.weights, features.text.weights and features.audio.weights",
        ),
    ],
)
def test_a_wrong_key_or_value_is_named_in_one_line(
    file: Path, old: str, new: str, message: str
) -> None:
    assert refusal(changed(file, old, new)) == message


def test_each_of_several_faults_has_a_line_of_its_own(file: Path) -> None:
    message = refusal(changed(file, "theta: 0.5", "thetta: 0.5"))
    assert sorted(message.splitlines()) == [
        "fusion.theta is missing; add it",
        "unknown key fusion.thetta (did you mean theta?); remove it or correct it",
    ]


SECTIONS = "a mapping of the keys seed, data, features, fusion, mtl, train, evaluate, report"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", f"the file is None; allowed: {SECTIONS}"),
        ("# nothing\n", f"the file is None; allowed: {SECTIONS}"),
        ("- 1\n- 2\n", f"the file is [1, 2]; allowed: {SECTIONS}"),
        ("seed\n", f"the file is 'seed'; allowed: {SECTIONS}"),
    ],
)
def test_a_file_without_keys_is_refused(file: Path, text: str, message: str) -> None:
    file.write_text(text)
    assert refusal(file) == message


def test_a_value_where_a_section_belongs_is_refused(file: Path) -> None:
    message = refusal(changed(file, "fusion:\n", "fusion: hgfn\nother:\n"))
    assert "fusion is 'hgfn'; allowed: a mapping of the keys name, theta, width, options" in message


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (SHIPPED + "\nseed: [1\n", "while parsing a flow sequence"),
        (SHIPPED + "\nseed: 1\n", 'found duplicate key "seed"'),
        ("seed: 0\n---\nseed: 1\n", "expected a single document"),
        (SHIPPED + "\n\tx: 1\n", "found character '\\t'"),
    ],
)
def test_broken_yaml_is_named_in_one_line(file: Path, text: str, reason: str) -> None:
    file.write_text(text)
    message = refusal(file)
    assert message.startswith("not valid YAML: ")
    assert reason in message
    assert "\n" not in message


def test_bytes_that_are_not_text_are_refused(file: Path) -> None:
    file.write_bytes(SHIPPED.encode() + b"# \xe9\n")
    assert refusal(file).startswith("not valid YAML: ")


def test_no_file_says_where_to_run(tmp_path: Path) -> None:
    assert refusal(tmp_path / "none.yaml") == "no such file; run from the project's root"


def check(section: str, **settings: Any) -> None:
    if section == "fusion":
        fusion = FusionParams(**{"theta": 0.5, "width": 8} | settings)
        check_component("fusion", fusion, FUSIONS, fusion_class)
    else:
        mtl = MTLParams(**{"alpha": 1.0, "beta": 2.0} | settings)
        check_component("mtl", mtl, METHODS, method_class)


@pytest.mark.parametrize(
    ("section", "name", "settings", "message"),
    [
        ("fusion", "hgnf", {}, "fusion.name is 'hgnf' (did you mean hgfn?); allowed: hgfn, gfn"),
        ("fusion", "cfc", {"theta": 0.3}, "theta is 0.3, but cfc has no theta; set it to 0.5"),
        ("mtl", "lsew", {"alpha": 0.5}, "mtl.alpha is 0.5, but lsew has no alpha; set it to 1.0"),
        ("mtl", "moo", {"beta": 0.0}, "mtl.beta is 0.0, but moo has no beta; set it to 2.0"),
    ],
)
def test_a_setting_that_the_fusion_or_method_lacks_is_an_error(
    section: str, name: str, settings: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        check(section, name=name, **settings)


@pytest.mark.parametrize(
    ("section", "name", "option", "value", "message"),
    [
        ("fusion", "matf", "scenes", 1, "scenes (did you mean scene?); matf has the options chan"),
        ("fusion", "cfc", "align", "pad", "unknown key fusion.options.align; cfc has no options"),
        (
            "fusion",
            "hgfn",
            "align",
            "padd",
            "fusion.options.align is 'padd'; allowed: linear, plain, pad",
        ),
        (
            "fusion",
            "hgfn",
            "weight",
            True,
            "options.weight is True; allowed: scalar, attention, vector",
        ),
        ("fusion", "hgfn", "channels", 2.0, "channels is 2.0; allowed: whole numbers from 1"),
        ("fusion", "gfn", "hidden", True, "hidden is True; allowed: whole numbers from 1"),
        ("mtl", "dmtl", "rat", "raw", "key mtl.options.rat (did you mean rate?); dmtl has the op"),
        ("mtl", "lsew", "W", "own", "unknown key mtl.options.W; lsew has no options"),
        ("mtl", "moo", "normaliser", "l1", "mtl.options.normaliser is 'l1'; allowed: loss+, l2"),
        ("mtl", "mtinet", "mask", "rows", "mask is 'rows'; allowed: tasks, channels"),
        ("mtl", "dmtl", "weight_learning_rate", 0.0, "is 0.0; allowed: a number above 0"),
        ("mtl", "dmtl", "weight_learning_rate", True, "is True; allowed: a number above 0"),
        ("mtl", "dmtl", "smoothing", 1, "options.smoothing is 1; allowed: 0 to below 1"),
        ("mtl", "dmtl", "cycle", 3, "options.cycle is 3; allowed: epoch, run"),
    ],
)
def test_a_setting_that_does_not_fit_names_its_key_its_value_and_what_is_allowed(
    section: str, name: str, option: str, value: Any, message: str
) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        check(section, name=name, options={option: value})


def test_options_that_exclude_each_other_are_refused_before_any_stage_runs() -> None:
    with pytest.raises(ValueError, match=r"^mtl\.options\.cycle is 'run', but rebalance 'none'"):
        check("mtl", name="dmtl", options={"cycle": "run", "rebalance": "none"})


@pytest.mark.parametrize(("section", "classes"), [("fusion", FUSIONS), ("mtl", METHODS)])
def test_every_declared_option_is_accepted(section: str, classes: dict[str, str]) -> None:
    for name in classes:
        load = fusion_class if section == "fusion" else method_class
        for option, allowed in load(name).options.items():
            number = 2 if allowed is int else 0.5
            for value in allowed if isinstance(allowed, tuple) else (number,):
                check(section, name=name, options={option: value})


def test_default_parameters_are_checked_without_torch() -> None:
    code = "import sys; import stages.params; from pipeline.params import *; import pathlib; "
    code += "from pipeline.models.fusion import *; from pipeline.mtl import *; "
    code += "values = load_params(pathlib.Path(sys.argv[1])); "
    code += "check_component('fusion', values.fusion, FUSIONS, fusion_class); "
    code += "check_component('mtl', values.mtl, METHODS, method_class); "
    code += "assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code, ROOT / "params.yaml"], check=True)
