"""Methods by their names, and what check_mtl refuses."""

from __future__ import annotations

import ast
import doctest
import math
import subprocess
import sys
from pathlib import Path

import pytest

import pipeline.mtl
from pipeline.mtl import METHODS, build_mtl, check_mtl, method_class


@pytest.mark.parametrize("name", METHODS)
def test_one_call_builds_every_method(name, tasks, counts):
    exponents = {"alpha": 0.5, "beta": 1.0} if name == "dmtl" else {}
    method = build_mtl(name, tasks, **exponents, **counts)
    assert type(method) is method_class(name)
    # Plain cross entropy everywhere but in dmtl.
    assert method.beta == (1.0 if name == "dmtl" else 0.0)


@pytest.mark.parametrize("name", METHODS)
def test_every_option_and_each_of_its_words_builds(name, tasks, counts):
    for option, kind in method_class(name).options.items():
        for value in kind if isinstance(kind, tuple) else (kind(2),):
            check_mtl(name, {option: value})
            build_mtl(name, tasks, **counts, **{option: value})


@pytest.mark.parametrize(
    ("name", "settings", "message"),
    [
        ("dmlt", {}, r"mtl\.name is 'dmlt' \(did you mean dmtl\?\); allowed: dmtl, lsew, moo"),
        (
            "dmtl",
            {"rat": "raw"},
            r"mtl\.options\.rat \(did you mean rate\?\); dmtl has .* rate,",
        ),
        ("lsew", {"W": "own"}, r"unknown key mtl\.options\.W; lsew has no options"),
        (
            "moo",
            {"mask": "tasks"},
            r"key mtl\.options\.mask; moo has the options normaliser",
        ),
        ("dmtl", {"W": "last"}, r"mtl\.options\.W is 'last'; allowed: own, shared"),
        ("dmtl", {"norm": True}, r"mtl\.options\.norm is True; allowed: l2, rms"),
        ("moo", {"normaliser": "l1"}, r"mtl\.options\.normaliser is 'l1'; allowed: none, l2, loss"),
        ("mtinet", {"mask": "rows"}, r"mtl\.options\.mask is 'rows'; allowed: tasks, channels"),
        ("dmtl", {"weight_learning_rate": 0.0}, "is 0.0; allowed: a number above 0"),
        ("dmtl", {"weight_learning_rate": math.nan}, "is nan; allowed: a number above 0"),
        ("dmtl", {"cycle_epochs": 1.5}, "is 1.5; allowed: a whole number above 0"),
        ("dmtl", {"cycle_epochs": True}, "is True; allowed: a whole number above 0"),
        ("lsew", {"alpha": 0.5}, r"mtl\.alpha is 0.5, but lsew has no alpha; set it to 1.0"),
        ("moo", {"beta": 0.0}, r"mtl\.beta is 0.0, but moo has no beta; set it to 2.0"),
    ],
)
def test_a_wrong_setting_names_its_key_its_value_and_what_is_allowed(
    tasks, counts, name, settings, message
):
    exponents = {key: value for key, value in settings.items() if key in ("alpha", "beta")}
    options = {key: value for key, value in settings.items() if key not in exponents}
    with pytest.raises(ValueError, match=message):
        check_mtl(name, options, **exponents)
    with pytest.raises(ValueError, match=message):
        build_mtl(name, tasks, **counts, **settings)


def test_the_packages_example_runs():
    result = doctest.testmod(pipeline.mtl)
    assert (result.attempted, result.failed) == (3, 0)


def test_default_parameters_are_checked_without_torch():
    code = "import sys; from pipeline.mtl import check_mtl; check_mtl('dmtl', {}); "
    subprocess.run([sys.executable, "-c", code + "assert 'torch' not in sys.modules"], check=True)


def test_the_package_needs_torch_and_nothing_else_of_the_project():
    allowed = {"torch", "jaxtyping", *sys.stdlib_module_names}
    for file in Path(pipeline.mtl.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
            else:
                continue
            for name in names:
                own = name.startswith("pipeline.mtl")
                assert own or name.split(".")[0] in allowed, f"{file.name} imports {name}"
