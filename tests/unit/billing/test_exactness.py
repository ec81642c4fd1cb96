"""No float comes near money, and the arithmetic asks nothing of the world."""

import ast
from pathlib import Path

import pytest

import geminid

ROOT = Path(geminid.__file__).parent
BILLING = sorted((ROOT / "billing").glob("*.py"))
MONEY = [
    *BILLING,
    ROOT / "core/money.py",
    ROOT / "core/price.py",
    *sorted((ROOT / "catalog").glob("price*.py")),
]
WORLD = {"asyncio", "io", "os", "pathlib", "random", "secrets", "socket", "sqlite3", "time", "uuid"}
INEXACT = {"float", "round", "timestamp", "fromtimestamp", "total_seconds"}


def inexact(node):
    return (
        (isinstance(node, ast.Constant) and isinstance(node.value, float))
        or (isinstance(node, ast.BinOp | ast.AugAssign) and isinstance(node.op, ast.Div))
        or (isinstance(node, ast.Name) and node.id in INEXACT)
        or (isinstance(node, ast.Attribute) and node.attr in INEXACT)
    )


@pytest.mark.parametrize("path", MONEY, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_float_is_made(path):
    found = [node.lineno for node in ast.walk(ast.parse(path.read_text())) if inexact(node)]
    assert found == []


@pytest.mark.parametrize("path", BILLING, ids=lambda path: path.name)
def test_the_room_is_pure(path):
    for node in ast.walk(ast.parse(path.read_text())):
        assert not isinstance(node, ast.AsyncFunctionDef | ast.Await | ast.Global)
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        assert not WORLD & {name.split(".")[0] for name in names}
        assert not (isinstance(node, ast.Name) and node.id in {"open", "print"})
