"""The arms of a comparison: each is a process of its own that answers waves of prompts.

All arms stay loaded during a run and only one is active; what the idle ones use meanwhile is part of
every result. The HTTP arms share one load generator.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple, Protocol

import httpx

from benchmarks.child import Child, stop, wait_until
from benchmarks.engine_arm import Question
from benchmarks.load import Job, Wave, Waved
from benchmarks.machine import ROOT, Model

LISTENING = re.compile(r"listening on http://[^:]+:(\d+)")


class Serving(NamedTuple):
    """A running server: the root of its process tree, and where it listens."""

    process: subprocess.Popen[bytes]
    port: int


class Arm(Protocol):
    """Something that answers. ``pid`` is the root of its process tree."""

    name: str
    pid: int

    def wave(self, prompts: Sequence[tuple[str, str]], tokens_max: int) -> Waved:
        """Answer all ``prompts``, pairs of (user's text, rendered text), at once and greedily."""


class GeminidArm:
    """A real ``geminid serve``, over streamed server-sent events."""

    name = "geminid"

    def __init__(self, process: subprocess.Popen[bytes], port: int, model: str, load: Child) -> None:
        self.pid, self._model, self._load = process.pid, model, load
        self.port = port

    def wave(self, prompts: Sequence[tuple[str, str]], tokens_max: int) -> Waved:
        """See :class:`Arm`."""
        path = f"/v1beta/models/{self._model}:streamGenerateContent?alt=sse"
        bodies = [gemini_body(text, tokens_max) for text, _ in prompts]
        return self._load.ask(Job(wave=Wave(port=self.port, path=path, bodies=bodies)), Waved)


class EngineArm:
    """The same engine in process; see :mod:`benchmarks.engine_arm`."""

    name = "engine"

    def __init__(self, child: Child) -> None:
        self.pid, self._child = child.process.pid, child

    def wave(self, prompts: Sequence[tuple[str, str]], tokens_max: int) -> Waved:
        """See :class:`Arm`."""
        rendered = [text for _, text in prompts]
        return self._child.ask(Question(prompts=rendered, tokens_max=tokens_max), Waved)

    def render(self, texts: Sequence[str]) -> list[tuple[str, str]]:
        """Return (user's text, what the model reads) for each."""
        rendered = self._child.ask(Question(prompts=list(texts), render=True), list[str])
        return list(zip(texts, rendered, strict=True))


class LlamaArm:
    """llama.cpp's server; see :mod:`benchmarks.llama_arm`."""

    name = "llama.cpp"

    def __init__(self, child: Child, port: int, load: Child) -> None:
        self.pid, self._port, self._load = child.process.pid, port, load

    def wave(self, prompts: Sequence[tuple[str, str]], tokens_max: int) -> Waved:
        """See :class:`Arm`."""
        fixed = {"n_predict": tokens_max, "temperature": 0, "cache_prompt": True, "stream": True}
        bodies = [json.dumps({"prompt": text, **fixed}) for _, text in prompts]
        return self._load.ask(Job(wave=Wave(port=self._port, path="/completion", bodies=bodies)), Waved)


def gemini_body(text: str, tokens_max: int) -> str:
    """Return a request for a greedy answer."""
    contents = [{"role": "user", "parts": [{"text": text}]}]
    config = {"maxOutputTokens": tokens_max, "temperature": 0}
    return json.dumps({"contents": contents, "generationConfig": config})


@contextmanager
def serving(
    *flags: str, environ: dict[str, str] | None = None
) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """Run ``geminid serve`` on a free port until it is ready; yield its process and port."""
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "server.log"
        with log.open("wb") as sink:
            process = subprocess.Popen(
                [sys.executable, "-m", "geminid.cli.main", "serve", "--port", "0", *flags],
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=sink,
                env={**os.environ, **(environ or {})},
            )
        try:
            yield Serving(process, _port(process, log))
        finally:
            stop(process)


def _port(process: subprocess.Popen[bytes], log: Path) -> int:
    def alive() -> str:
        text = log.read_text()
        assert process.poll() is None, text
        return text

    wait_until(lambda: bool(LISTENING.search(alive())), 120, "geminid does not listen")
    found = LISTENING.search(alive())
    assert found
    url = f"http://127.0.0.1:{found[1]}/readyz"
    wait_until(lambda: bool(alive()) and httpx.get(url, timeout=5).status_code == 200, 120, alive())
    return int(found[1])


class Arms:
    """All arms of a run, loaded. ``engine`` is always there: it renders prompts for the others."""

    def __init__(self, model: Model, names: Sequence[str], slots: int) -> None:
        self._stack = ExitStack()
        try:
            self._start(model, names, slots)
        except BaseException:
            self._stack.close()
            raise

    def _start(self, model: Model, names: Sequence[str], slots: int) -> None:
        child = self._stack.enter_context
        load = child(Child("benchmarks.load"))
        engine = child(Child("benchmarks.engine_arm"))
        engine.read(str)
        self.engine = EngineArm(engine)
        self.all: list[Arm] = [self.engine] if "engine" in names else []
        if "geminid" in names:
            process, port = child(serving("--model", model.card.name))
            self.all.insert(0, GeminidArm(process, port, model.card.name, load))
        if "llama.cpp" in names:
            llama = child(Child("benchmarks.llama_arm", str(model.weights), str(slots)))
            self.all.append(LlamaArm(llama, int(llama.read(str).rpartition(":")[2]), load))

    def __enter__(self) -> Arms:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()
