"""Methods by their names."""

from __future__ import annotations

import ast
import doctest
import sys
from pathlib import Path

import pytest

import pipeline.mtl
from pipeline.mtl import METHODS, build_mtl, method_class


@pytest.mark.parametrize("name", METHODS)
def test_one_call_builds_every_method(name, tasks, counts):
    method = build_mtl(name, tasks, alpha=0.5, beta=1.0, **counts)
    assert type(method) is method_class(name)
    # Plain cross entropy where a method takes no beta.
    assert method.beta == (1.0 if "beta" in method.takes else 0.0)


@pytest.mark.parametrize("name", METHODS)
def test_every_option_and_each_of_its_words_builds(name, tasks, counts):
    for option, kind in method_class(name).options.items():
        for value in kind if isinstance(kind, tuple) else (0.5,):
            build_mtl(name, tasks, **counts, **{option: value})


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("dmlt", {}, "unknown method 'dmlt'; allowed: dmtl, focal, lsew"),
        ("dmtl", {"W": "last"}, "W is 'last'; allowed: own, shared"),
        ("dmtl", {"cycle": "run", "rebalance": "none"}, "cycle is 'run', but rebalance 'none'"),
        ("cagrad", {"c": 1.0}, "c is 1.0; allowed: 0 to below 1"),
        ("mtinet", {"masks": "rows"}, "masks is not an option of MTINet"),
    ],
)
def test_a_wrong_name_or_option_is_an_error(tasks, counts, name, options, message):
    with pytest.raises(ValueError, match=message):
        build_mtl(name, tasks, **counts, **options)


def test_the_packages_example_runs():
    result = doctest.testmod(pipeline.mtl)
    assert (result.attempted, result.failed) == (3, 0)


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


@pytest.mark.parametrize(("name", "option"), [("dmtl", "norm"), ("moo", "normaliser")])
def test_a_class_built_directly_checks_its_options_too(name, option, tasks):
    with pytest.raises(ValueError, match=f"{option} is 'l1'; allowed: "):
        method_class(name)(tasks, **{option: "l1"})
