"""Where a figure was measured: processor, memory, commit, packages, model."""

from __future__ import annotations

import hashlib
import os
import platform
import subprocess
from importlib import metadata
from pathlib import Path
from typing import Any, NamedTuple

import psutil

from geminid.app_engines import fleet_config
from geminid.catalog.catalog import Catalog
from geminid.catalog.progress import Progress
from geminid.catalog.pull import pull
from geminid.config import load
from geminid.core.card import ModelCard
from geminid.engines.openvino.fleet import FleetConfig
from geminid.engines.openvino.weights import Precision, best_precision, converted

ROOT = Path(__file__).resolve().parent.parent
FLAGS = ("avx2", "f16c", "avx512f", "avx512_vnni", "avx_vnni", "avx512_bf16", "amx_bf16", "amx_int8")
PACKAGES = (
    "openvino",
    "openvino-genai",
    "xllamacpp",
    "uvicorn",
    "uvloop",
    "httptools",
    "starlette",
    "granian",
    "av",
    "faster-whisper",
    "ctranslate2",
    "rapidocr",
)


class Model(NamedTuple):
    """The default model as ``geminid serve`` would load it. ``folder`` is what OpenVINO reads."""

    card: ModelCard
    weights: Path
    folder: Path
    precision: Precision
    fleet: FleetConfig


def model() -> Model:
    """Return the default card's model, pulled and converted into the default data directory if need be."""
    config, _ = load()
    cache = config.cache()
    card = Catalog.load().card(config.catalog.model)
    weights = pull(card, cache, progress=_silent)
    fleet = fleet_config(config.engine, cache)
    precision = fleet.precision or best_precision(weights)
    return Model(card, weights, converted(weights, cache, precision), precision, fleet)


def _silent(progress: Progress) -> None:
    """Nobody watches."""


def facts() -> dict[str, Any]:
    """Describe machine, commit and packages, for the result's file."""
    return {
        "machine": {
            "cpu": _cpu_line("model name") or platform.processor(),
            "cores": os.cpu_count(),
            "flags": [flag for flag in FLAGS if flag in _cpu_line("flags").split()],
            "memory_gib": round(psutil.virtual_memory().total / 1024**3, 1),
            "system": platform.platform(),
            "load_before": os.getloadavg(),
        },
        "commit": commit(),
        "changed_files": _git("status", "--porcelain", "--", "src", "benchmarks").count("\n"),
        "python": platform.python_version(),
        "packages": {name: version for name in PACKAGES if (version := _version(name))},
    }


def model_facts(used: Model) -> dict[str, Any]:
    """Describe the model, for the result's file."""
    return {
        "name": used.card.name,
        "file": used.weights.name,
        "sha256": hashlib.sha256(used.weights.read_bytes()).hexdigest(),
        "precision": used.precision,
        "kv_cache_gib": used.fleet.kv_cache_gib,
        "batch_tokens_max": used.fleet.batch_tokens_max,
        "sequences_max": used.fleet.sequences_max,
    }


def commit() -> str:
    """Return the short name of the checked-out commit."""
    return _git("rev-parse", "--short", "HEAD").strip() or "unknown"


def _git(*arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stdout


def _cpu_line(key: str) -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return ""
    return next((line.partition(":")[2].strip() for line in lines if line.startswith(key)), "")


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return ""
