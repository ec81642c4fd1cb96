"""``geminid doctor``: what this machine has, what is wrong, how to mend it.

Each check looks at one thing and returns a finding; none changes anything.
"""

from __future__ import annotations

import os
import platform
import shutil
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Literal

import msgspec
import psutil

from geminid.app_engines import fleet_config
from geminid.app_media import GIB
from geminid.catalog.catalog import Catalog
from geminid.catalog.pull import located
from geminid.catalog.reference import reference
from geminid.cli.setup import embedding_state, speech_state
from geminid.config import Config
from geminid.core.card import ModelCard
from geminid.core.errors import Problem
from geminid.engines.openvino.fleet import PROCESS_BYTES
from geminid.process.confine import grantable

FREE_DISK_GIB_MIN = 2


class Finding(msgspec.Struct, frozen=True):
    """What one check saw. ``hint`` says how to mend what is not ``ok``."""

    check: str
    verdict: Literal["ok", "note", "wrong"]
    seen: str
    hint: str = ""


Check = Callable[[Config, Catalog], Finding]


def examine(config: Config, catalog: Catalog) -> Iterator[Finding]:
    """Run every check."""
    for check in CHECKS:
        yield check(config, catalog)


def _python(config: Config, catalog: Catalog) -> Finding:
    seen = f"Python {platform.python_version()} on {platform.system()} {platform.machine()}"
    if sys.platform == "linux":
        return Finding("system", "ok", seen)
    return Finding("system", "note", seen, "the embedded engine is tested on Linux only")


def _processor(config: Config, catalog: Catalog) -> Finding:
    try:
        flags = set(Path("/proc/cpuinfo").read_text().split())
    except OSError:
        return Finding("processor", "note", f"{os.cpu_count()} cores, abilities unknown")
    found = [
        name
        for name in ("avx2", "avx512f", "avx512_vnni", "avx512_bf16", "amx_int8", "asimd")
        if name in flags
    ]
    seen = f"{os.cpu_count()} cores; {' '.join(found) or 'no vector extensions known to us'}"
    if "avx512f" in found or "asimd" in found:
        return Finding("processor", "ok", seen)
    return Finding("processor", "note", seen, "expect a third of the speed of a machine with AVX-512")


def _memory(config: Config, catalog: Catalog) -> Finding:
    memory, fleet = psutil.virtual_memory(), fleet_config(config.engine, config.cache())
    need_gib = fleet.kv_cache_gib + PROCESS_BYTES / GIB
    free = f"{memory.available / GIB:.1f} of {memory.total / GIB:.1f} GiB free"
    seen = f"{free}; {fleet.kv_cache_gib} GiB for KV cells"
    if memory.available / GIB > need_gib:
        return Finding("memory", "ok", seen)
    return Finding("memory", "wrong", seen, "lower engine.kv_cache_gib (GEMINID_ENGINE_KV_CACHE_GIB)")


def _disk(config: Config, catalog: Catalog) -> Finding:
    folder = config.cache()
    existing = next(path for path in (folder, *folder.parents) if path.exists())
    free_gib = shutil.disk_usage(existing).free / GIB
    seen = f"{free_gib:.1f} GiB free for weights in {folder}"
    if not os.access(existing, os.W_OK):
        return Finding("disk", "wrong", f"{existing} cannot be written", "choose another with --data")
    if free_gib >= FREE_DISK_GIB_MIN:
        return Finding("disk", "ok", seen)
    return Finding("disk", "wrong", seen, "free some, or choose another with --data")


def _engine(config: Config, catalog: Catalog) -> Finding:
    try:
        return Finding("engine", "ok", f"OpenVINO GenAI {version('openvino-genai')}")
    except PackageNotFoundError:
        return Finding("engine", "wrong", "OpenVINO GenAI is not installed", "run: make setup")


def _model(config: Config, catalog: Catalog) -> Finding:
    try:
        card = reference(config.catalog.model, catalog)
    except Problem as problem:
        what, _, hint = problem.message.partition("\nhint:")
        return Finding("model", "wrong", what, hint.strip() or "geminid models lists the catalogue")
    if not isinstance(card, ModelCard) or (card.sources and located(card, config.cache()) is None):
        hint = f"run: geminid pull {config.catalog.model}"
        return Finding("model", "wrong", f"the weights of {config.catalog.model} are not here", hint)
    return Finding("model", "ok", f"{card.name}, {card.context_tokens_max} tokens of context")


def _embedding(config: Config, catalog: Catalog) -> Finding:
    try:
        state = embedding_state(config, catalog, _default(config, catalog))
    except Problem as problem:
        what, _, hint = problem.message.partition("\nhint:")
        return Finding("embedding", "wrong", what, hint.strip() or "correct catalog.embedding")
    if state.card is None:
        return Finding("embedding", "ok", "turned off (catalog.embedding is empty)")
    if not state.here:
        seen = f"{state.card.name} is not here: nothing is embedded"
        return Finding("embedding", "note", seen, f"run: geminid pull {state.card.name}")
    return Finding("embedding", "ok", f"{state.card.name}, vectors of {state.card.dimensions} numbers")


def _default(config: Config, catalog: Catalog) -> ModelCard:
    """Return the card of the default model, the usual one where it cannot be known."""
    with suppress(Problem):
        if isinstance(card := reference(config.catalog.model, catalog), ModelCard):
            return card
    return catalog.card(Config().catalog.model)


def _speech(config: Config, catalog: Catalog) -> Finding:
    try:
        state = speech_state(config, catalog)
    except Problem as problem:
        what, _, hint = problem.message.partition("\nhint:")
        return Finding("speech", "wrong", what, hint.strip() or "correct media.speech")
    if state.card is None:
        return Finding("speech", "ok", "turned off: sound is refused (media.speech is empty)")
    if state.path is None:
        seen = f"{state.card.name} is not here: sound is refused, film is read without its sound"
        return Finding("speech", "note", seen, f"run: geminid pull {config.media.speech}")
    return Finding("speech", "ok", f"{state.card.name} in {state.path}")


def _readers(config: Config, catalog: Catalog) -> Finding:
    granted = grantable()
    free = [
        what for what, kept in (("other files", granted.files), ("the network", granted.network)) if not kept
    ]
    if not free:
        return Finding("readers", "ok", "kept from the network and from files that are not theirs")
    hint = "Linux 5.13 or newer keeps them from files, user namespaces from the network"
    return Finding("readers", "note", f"not kept from {' and '.join(free)} on this machine", hint)


def _port(config: Config, catalog: Catalog) -> Finding:
    host, port = config.server.host, config.server.port
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            hint = "another server (perhaps geminid itself) has it: choose one with --port"
            return Finding("port", "wrong", f"{host}:{port}: {error.strerror}", hint)
    return Finding("port", "ok", f"{host}:{port} is free")


CHECKS: tuple[Check, ...] = (
    *(_python, _processor, _memory, _disk, _engine),
    *(_model, _embedding, _speech, _readers, _port),
)
