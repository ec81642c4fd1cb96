"""The house's one rule: imports go downstream only."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import geminid

ROOT = Path(geminid.__file__).parent

MAY_IMPORT = {
    "core": set(),
    "shape": {"core"},
    "wire": {"core", "shape"},
    "catalog": {"core"},
    "engines": {"core", "shape"},
    "service": {"core", "catalog", "engines.protocol"},
    "config": {"core"},
    "telemetry": {"engines.protocol", "service"},
    "web": {"core", "wire", "service", "config", "telemetry", "catalog.manners", "engines.protocol"},
    "cli": {"core", "wire", "catalog", "config", "app", "engines.openvino.weights", "engines.openvino.fleet"},
    "app": {"core", "catalog", "engines", "service", "telemetry", "web", "config"},
}
"""Room by room, what it may import of ours beside itself."""


def imported(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("geminid"):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.startswith("geminid"))


def files() -> list[Path]:
    return sorted(path for path in ROOT.rglob("*.py") if path.parent != ROOT or path.stem in MAY_IMPORT)


@pytest.mark.parametrize("path", files(), ids=lambda path: str(path.relative_to(ROOT)))
def test_each_file_imports_only_what_its_room_may(path):
    room = path.relative_to(ROOT).with_suffix("").parts[0]
    allowed = {f"geminid.{name}" for name in (*MAY_IMPORT[room], room)}
    strangers = [
        name for name in imported(path) if not any(f"{name}.".startswith(f"{each}.") for each in allowed)
    ]
    assert strangers == []


def test_every_room_has_a_row():
    rooms = {path.relative_to(ROOT).with_suffix("").parts[0] for path in ROOT.rglob("*.py")} - {"__init__"}
    assert rooms == MAY_IMPORT.keys()


def test_only_the_engines_processes_import_native_code():
    native = {"openvino", "openvino_genai", "numpy"}
    found = {
        str(path.relative_to(ROOT))
        for path in files()
        for node in ast.parse(path.read_text()).body
        if isinstance(node, ast.Import) and any(alias.name.split(".")[0] in native for alias in node.names)
    }
    assert found == {
        "engines/openvino/checker_process.py",
        "engines/openvino/convert.py",
        "engines/openvino/dummy.py",
        "engines/openvino/pipeline.py",
    }
