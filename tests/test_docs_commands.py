"""Each command in the documents is one that the command line, dvc.yaml or the tree knows."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer
from ruamel.yaml import YAML

from pipeline.cli import app
from tests.test_docs import PAGES, ROOT

HGFN = typer.main.get_command(app)
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```", re.M | re.S)
INLINE = re.compile(r"`((?:hgfn|dvc|python -m)\s[^`]+)`")
PROGRAMS = ("hgfn", "dvc", "python")
START = re.compile(r"(?:[A-Z_]+=\S+ )*(?:hgfn|dvc|python) ")


def commands(text: str) -> Iterator[list[str]]:
    """The words of each command in a page's blocks and in its sentences, without redirections."""
    blocks = [block for language, block in BLOCK.findall(text) if language in ("", "sh", "bash")]
    lines = [line for block in blocks for line in block.splitlines() if START.match(line)]
    lines += [" ".join(line.split()) for line in INLINE.findall(BLOCK.sub("", text))]
    for line in lines:
        for part in re.split(r"&&|\||;", re.sub(r"\s#.*|\s[<>] \S+", "", line)):
            words = shlex.split(part.replace("...", ""))
            while words and re.fullmatch(r"[A-Z_]+=.*", words[0]):  # environment
                words.pop(0)
            if words and words[0] in PROGRAMS:
                yield words


def fault(words: list[str]) -> str | None:
    """What the command line, dvc.yaml or the tree does not know of a command; else None."""
    match words:
        case ["hgfn", name, *arguments]:
            return fault_of_hgfn(name, arguments)
        case ["dvc", "repro", *targets]:
            return next((t for t in targets if not t.startswith("-") and not is_target(t)), None)
        case ["dvc", "exp", "run", *options]:
            keys = [o.removeprefix("+").split("=")[0] for o in options if "=" in o]
            return next((key for key in keys if not is_parameter(key)), None)
        case ["python", "-m", module, *_] if module.split(".")[0] in ("tools", "stages", "tests"):
            path = ROOT.joinpath(*module.split("."))
            return None if path.with_suffix(".py").exists() or path.is_dir() else module
    return None


def fault_of_hgfn(name: str, arguments: list[str]) -> str | None:
    command = HGFN.commands.get(name)  # type: ignore[attr-defined]
    if command is None:
        return name
    try:
        command.make_context(name, arguments)
    except Exception as error:
        # In a sentence a command may stand without its arguments.
        missing = "MissingParameter" in type(error).__name__
        return None if missing or str(error).endswith("requires an argument.") else repr(error)
    return None


def is_target(name: str) -> bool:
    stages = YAML(typ="safe").load(ROOT / "dvc.yaml")["stages"]
    own = "floods"  # the set of docs/own_posts.md
    stage, _, data = name.partition("@")
    return (ROOT / name).is_file() or (
        stage in stages and data in ("", "crisismmd", "youtube", own, "<set>")
    )


def is_parameter(key: str) -> bool:
    value = YAML(typ="safe").load(ROOT / "params.yaml")
    for part in key.split("."):
        if value == {}:
            return True  # an option of a fusion or a method
        if not isinstance(value, dict) or part not in value:
            return False
        value = value[part]
    return True


@pytest.mark.parametrize("page", PAGES, ids=[str(page.relative_to(ROOT)) for page in PAGES])
def test_every_command_is_known(page: Path) -> None:
    if page.name == "CHANGELOG.md" or page.parent.name == "decisions":
        return  # they name what was
    faults = {" ".join(words): fault(words) for words in commands(page.read_text())}
    assert {words: wrong for words, wrong in faults.items() if wrong} == {}


def test_the_checks_find_what_is_wrong() -> None:
    text = "```sh\nhgfn predikt x\nX=1 hgfn doctor --mnd # y\n```\n`dvc repro indx@youtube`"
    text += " `dvc exp run -S mtl.alfa=1` `python -m tools.none` `hgfn retry` `hgfn cache`"
    found = [fault(words) for words in commands(text)]
    assert found[0] == "predikt"
    assert found[1] is not None
    assert "--mnd" in found[1]
    assert found[2:] == ["indx@youtube", "mtl.alfa", "tools.none", None, None]


def test_the_readme_fits_on_a_screen() -> None:
    assert len((ROOT / "README.md").read_text().splitlines()) <= 80


def test_the_commands_of_ci_are_those_of_the_readme() -> None:
    readme, ci = ((ROOT / name).read_text() for name in ("README.md", ".ci/run"))
    first = "python3 -m venv .venv && . .venv/bin/activate && pip install -e . && dvc repro"
    assert first in readme
    assert first in ci.replace(" --quiet", "")
