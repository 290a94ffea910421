"""The digest of code: what it depends on, and what it does not."""

from __future__ import annotations

import pytest

from pipeline.ground.code_digest import code_digest, tokens

CODE = """
def f(x):
    if x:
        y = x + 1
    return f"{x + 1!r} # {y}"
"""
OTHER_LAYOUT = """
# A comment.
def f(x):

  if x:  # another one
      y = x \\
          + 1
  # The last one.
  return f"{x + 1!r} # {y}"
"""


def test_comments_and_layout_change_nothing() -> None:
    assert list(tokens(OTHER_LAYOUT)) == list(tokens(CODE))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("x + 1\n", "x + 2\n"),
        ("    return", "        return"),
        ("+ 1!r", "- 1!r"),
        ("# {y}", "#  {y}"),
        ("if x:\n        y = x + 1", "y = x + 1"),
    ],
)
def test_a_changed_statement_changes_the_digest(old: str, new: str) -> None:
    assert old in CODE
    assert list(tokens(CODE.replace(old, new))) != list(tokens(CODE))


# What tokenize of Python 3.11 and of 3.12 yields differs at f-strings alone.
def test_an_f_string_is_one_token_in_every_version_of_python() -> None:
    nested = """f'a{f"{x}"}{{b}}' f'''two
lines {x}'''"""
    assert list(tokens(f"y = {nested}\n")) == [
        "y",
        "=",
        """f'a{f"{x}"}{{b}}'""",
        "f'''two\nlines {x}'''",
        "NEWLINE",
    ]


def test_a_file_and_a_folder_have_different_digests() -> None:
    digests = {code_digest((name,)) for name in ("mtl", "models", "mtl/lsew.py")}
    assert len(digests) == 3
