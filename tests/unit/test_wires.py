"""A foreign wire is a closed folder: nothing of it is known elsewhere."""

import ast
import re
from pathlib import Path

import geminid

ROOT = Path(geminid.__file__).parent
CLOSED = ("wire/openai", "web/openai")
COMPOSED = {"app.py"}
"""Where the routes of all wires are put together."""
WORDS = re.compile(r"openai|chat\.completion|chatcmpl", re.IGNORECASE)


def outside():
    for path in sorted(ROOT.rglob("*.py")):
        name = path.relative_to(ROOT).as_posix()
        if not name.startswith(CLOSED) and name not in COMPOSED:
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


def test_nothing_about_openai_is_known_outside_of_its_folders():
    leaks = {name: WORDS.findall(code_of(source)) for name, source in outside()}
    assert {name: found for name, found in leaks.items() if found} == {}


def test_neither_wire_imports_the_other():
    for wire, other in (("openai", "gemini"), ("gemini", "openai")):
        for path in (ROOT / "wire" / wire).glob("*.py"):
            assert f"geminid.wire.{other}" not in path.read_text(), path
