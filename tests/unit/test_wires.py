"""A foreign wire is a closed folder: nothing of it is known elsewhere."""

import ast
import re
from itertools import permutations
from pathlib import Path

import pytest

import geminid

ROOT = Path(geminid.__file__).parent
CLOSED = {"openai": ("wire/openai", "web/openai"), "anthropic": ("wire/anthropic", "web/anthropic")}
COMPOSED = {"app.py", "app_speech.py"}
"""Where the routes of all wires are put together."""
WORDS = {
    "openai": re.compile(r"openai|chat\.completion|chatcmpl", re.IGNORECASE),
    "anthropic": re.compile(r"anthropic|toolu_|message_start", re.IGNORECASE),
}


def outside(wire):
    for path in sorted(ROOT.rglob("*.py")):
        name = path.relative_to(ROOT).as_posix()
        if not name.startswith(CLOSED[wire]) and name not in COMPOSED:
            yield name, path.read_text()


def code_of(source: str) -> str:
    """Everything but comments and docstrings, which may compare."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list):
            node.body = [each for each in body if not _is_words(each)] or [ast.Pass()]
    return ast.unparse(tree)


def _is_words(node: ast.AST) -> bool:
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )


@pytest.mark.parametrize("wire", CLOSED)
def test_nothing_about_a_foreign_wire_is_known_outside_of_its_folders(wire):
    leaks = {name: WORDS[wire].findall(code_of(source)) for name, source in outside(wire)}
    assert {name: found for name, found in leaks.items() if found} == {}


@pytest.mark.parametrize(("wire", "other"), list(permutations(("anthropic", "gemini", "openai"), 2)))
def test_no_wire_imports_another(wire, other):
    for path in (ROOT / "wire" / wire).rglob("*.py"):
        assert f"geminid.wire.{other}" not in path.read_text(), path
