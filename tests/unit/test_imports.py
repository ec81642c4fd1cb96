"""The house's one rule: imports go downstream only."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import geminid

ROOT = Path(geminid.__file__).parent

MAY_IMPORT = {
    "core": set(),
    "shape": {"core"},
    "wire": {"core", "shape"},
    "billing": {"core"},
    "process": {"core"},
    "catalog": {"core"},
    "media": {"core", "process"},
    "fetch": {"core"},
    "store": {"core", "billing"},
    "engines": {"core", "shape", "process"},
    "service": {"core", "billing", "catalog", "engines.protocol", "fetch", "media", "store"},
    "bulk": {"core", "catalog.manners", "service", "store", "wire"},
    "config": {"core"},
    "telemetry": {"engines.protocol", "service"},
    "tracing": {"core", "service"},
    "web": {"core", "wire", "service", "config", "telemetry", "catalog.manners", "engines.protocol"},
    "cli": {
        *(
            "core",
            "wire",
            "catalog",
            "config",
            "app",
            "app_engines",
            "app_media",
            "media.reading",
            "process.confine",
        ),
        *("engines.openvino.weights", "engines.openvino.fleet", "web.admin"),
    },
    "app_batches": {"bulk", "config", "core", "fetch", "service", "store", "wire.lines"},
    "app_engines": {"core", "catalog", "config", "engines"},
    "app_caches": {"core", "config", "engines.protocol", "service", "store"},
    "app_interactions": {"config", "core", "service", "store"},
    "app_owner": {"core", "store"},
    "app_speech": {"app_media", "catalog", "config", "core", "service", "store", "web"},
    "app_media": {"core", "catalog", "config", "fetch", "media", "service", "store"},
    "app": {
        *(
            "app_batches",
            "app_caches",
            "app_engines",
            "app_interactions",
            "app_media",
            "app_owner",
            "app_speech",
        ),
        *("core", "catalog", "engines", "fetch", "media", "service", "store", "telemetry", "tracing", "web"),
        "config",
    },
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


NATIVE = {
    "av",
    "cv2",
    "faster_whisper",
    "numpy",
    "openvino",
    "openvino_genai",
    "pdfplumber",
    "PIL",
    "rapidocr",
    "tokenizers",
}
SERVER_SIDE = ("bounds", "faults", "figures", "library", "messages", "pool", "reading")
"""What of ``media`` the server itself imports; all else runs in reader processes."""


def natively():
    for path in files():
        for node in ast.parse(path.read_text()).body:
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            if any(name.split(".")[0] in NATIVE for name in names):
                yield str(path.relative_to(ROOT))


def test_only_child_processes_import_native_code():
    found = set(natively())
    assert {name for name in found if not name.startswith("media/")} == {
        "engines/openvino/checker_process.py",
        "engines/openvino/convert.py",
        "engines/openvino/dummy.py",
        "engines/openvino/embed_graph.py",
        "engines/openvino/embed_tokens.py",
        "engines/openvino/embed_weights.py",
        "engines/openvino/embed_worker.py",
        "engines/openvino/known.py",
        "engines/openvino/label_graph.py",
        "engines/openvino/label_scorer.py",
        "engines/openvino/label_tokens.py",
        "engines/openvino/labelling.py",
        "engines/openvino/pipeline.py",
    }
    assert not found & {f"media/{name}.py" for name in SERVER_SIDE}


def test_a_server_starts_without_native_code():
    code = f"import sys, geminid.cli.serve; print(sorted({NATIVE!r} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
