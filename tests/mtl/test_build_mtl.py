from __future__ import annotations

import ast
import doctest
import sys
from pathlib import Path

import pytest

import pipeline.mtl
from pipeline.mtl import METHODS, MultiTaskMethod, build_mtl


@pytest.mark.parametrize("name", sorted(METHODS))
def test_one_call_builds_every_method(name, tasks, counts):
    method = build_mtl(name, tasks, alpha=0.5, beta=1.0, **counts)
    assert isinstance(method, MultiTaskMethod)
    assert type(method) is METHODS[name]
    # Plain cross entropy everywhere but in dmtl.
    assert method.beta == (1.0 if name == "dmtl" else 0.0)


def test_an_unknown_name_lists_the_allowed(tasks):
    with pytest.raises(ValueError, match=r"mtl\.name is 'dmlt'; allowed: dmtl, lsew"):
        build_mtl("dmlt", tasks)


def test_an_unknown_option_lists_the_allowed(tasks, counts):
    with pytest.raises(ValueError, match=r"dmtl has no option nrom; allowed: .*norm"):
        build_mtl("dmtl", tasks, nrom="l2", **counts)
    with pytest.raises(ValueError, match="lsew has no option W; allowed: none"):
        build_mtl("lsew", tasks, W="own")


def test_no_tasks_and_twin_tasks_are_errors(tasks):
    with pytest.raises(ValueError, match="at least one task"):
        build_mtl("lsew", [])
    with pytest.raises(ValueError, match="twice: damage"):
        build_mtl("lsew", [tasks[0], tasks[0]])


def test_the_packages_example_runs():
    found = doctest.testmod(pipeline.mtl)
    assert found.attempted > 0
    assert found.failed == 0


def test_the_package_needs_torch_and_nothing_else_of_the_house():
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
