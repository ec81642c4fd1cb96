"""The checker process: compiles grammars where a crash, a hang or a flood of memory hurts nobody.

The library has no call that only compiles, so a grammar rides on a request to a dummy model with the
real tokenizer. Facts measured with 2026.4.1: what a grammar raises inside a step is raised again by
every later step, even in a new pipeline over the same tokenizer, so the process ends after a failure;
deep nesting overflows the C++ stack and kills it without a word; compiled grammars are kept for ever,
so it retires when they have grown too big. ``RLIMIT_DATA`` turns a flood of memory into a failure
(273 MiB of data when ready; ``RLIMIT_AS`` would count 966 of addresses, most of them not memory).

Run as ``python -m geminid.engines.openvino.checker_process FD``, where FD is a connected stream socket.
"""

from __future__ import annotations

import contextlib
import os
import re
import resource
import signal
import socket
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import openvino
import openvino_genai

from geminid.engines.openvino.checker_messages import (
    Check,
    Checked,
    Failed,
    FromChecker,
    Open,
    Opened,
    decode_to_checker,
)
from geminid.engines.openvino.dummy import save_tiny
from geminid.engines.openvino.pipeline import stop_ids_of
from geminid.process.inbox import HungUp, Inbox, Outbox
from geminid.process.lifeline import die_with_parent

TOKENS = 4
"""Drawn with each grammar: some are cheap to compile and costly to follow."""
WARM_UP = 'root ::= "a"'
"""Compiled first, because the first grammar makes the library prepare the vocabulary."""
RETIRE_SHARE = 3
"""The process retires when what it keeps fills this part (one third) of its memory."""
OOM_SCORE = 900
"""When memory runs out, this process goes before the engines."""
SOURCE_PLACE = re.compile(r"^.*\.(?:cc|cpp|h):\d+: ", re.DOTALL)


class Compiler:
    """The dummy model. Good until the first exception."""

    def __init__(self, weights: Path) -> None:
        self._tokenizer = openvino_genai.Tokenizer(str(weights))
        with tempfile.TemporaryDirectory(prefix="geminid-checker-") as folder:
            save_tiny(weights, Path(folder))
            self._native = openvino_genai.ContinuousBatchingPipeline(
                folder, self._tokenizer, _scheduler(), "CPU"
            )
        self._stop_ids = stop_ids_of(self._native.get_config())
        self._ids = 0
        self.run(None)
        self._plain_ms = self.run(None)[0]
        self.run(WARM_UP)

    def check(self, grammar: str) -> tuple[float, float]:
        """Return the milliseconds that compiling took, and those of the slowest step after that."""
        first, *later = self.run(grammar)
        return max(first - self._plain_ms, 0.0), max(later, default=0.0)

    def run(self, grammar: str | None) -> list[float]:
        """Draw a few tokens, with a grammar if there is one; return the milliseconds of each step."""
        self._ids += 1
        prompt = openvino.Tensor(np.array([[0]], dtype=np.int64))
        handle = self._native.add_request(self._ids, prompt, self._draw(grammar))
        times: list[float] = []
        while self._native.has_non_finished_requests():
            wall, cpu = time.perf_counter(), time.process_time()
            self._native.step()
            times.append(1000 * min(time.perf_counter() - wall, time.process_time() - cpu))
        del handle
        return times

    def _draw(self, grammar: str | None) -> Any:
        config = openvino_genai.GenerationConfig()
        config.apply_chat_template = False
        config.max_new_tokens = TOKENS
        config.stop_token_ids = self._stop_ids
        if grammar is not None:
            config.structured_output_config = openvino_genai.StructuredOutputConfig(grammar=grammar)
        return config


def _scheduler() -> openvino_genai.SchedulerConfig:
    config = openvino_genai.SchedulerConfig()
    config.num_kv_blocks = 4
    config.max_num_batched_tokens = 32
    config.max_num_seqs = 1
    config.enable_prefix_caching = False
    return config


def serve(link: socket.socket) -> None:
    """Open what the first message names, and check until the server hangs up or a grammar fails."""
    inbox, outbox = Inbox(link, decode_to_checker), Outbox(link)
    (opening,) = inbox.take(wait=True)
    if not isinstance(opening, Open):
        raise ValueError("the first message says what to open")
    began = time.monotonic()
    compiler = Compiler(Path(opening.weights))
    retire_at = _limit_memory(opening.memory_mib)
    outbox.send(Opened(int((time.monotonic() - began) * 1000)))
    while True:
        (check,) = inbox.take(wait=True)  # one at a time: the next is sent when this one is answered
        if not isinstance(check, Check):
            raise ValueError("a model is opened once")
        answer = _answer(compiler, check, retire_at)
        outbox.send(answer)
        if isinstance(answer, Failed) or (isinstance(answer, Checked) and answer.retiring):
            return


def _answer(compiler: Compiler, check: Check, retire_at: int) -> FromChecker:
    """A grammar may make the library raise anything at all."""
    try:
        compile_ms, step_ms = compiler.check(check.grammar)
    except MemoryError:
        return Failed(check.id, "It takes too much memory.")
    except Exception as error:
        return Failed(check.id, SOURCE_PLACE.sub("", str(error)).strip())
    retiring = _data_bytes() > retire_at
    return Checked(id=check.id, compile_ms=compile_ms, step_ms=step_ms, retiring=retiring)


def _limit_memory(mib: int) -> int:
    """Bound what may be allocated from now on; return the size at which to retire."""
    base, room = _data_bytes(), mib << 20
    if sys.platform == "linux":
        resource.setrlimit(resource.RLIMIT_DATA, (base + room, base + room))
    return base + room // RETIRE_SHARE


def _data_bytes() -> int:
    """Return what ``RLIMIT_DATA`` counts: private writable memory, used or not."""
    if sys.platform != "linux":
        return 0
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmData:")[2].split()[0]) << 10


def main() -> None:
    """Entry point of the process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the server's to handle
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # crashes are expected here
    die_with_parent(OOM_SCORE)
    link = socket.socket(fileno=int(sys.argv[1]))
    with link, contextlib.suppress(HungUp, BrokenPipeError, ConnectionResetError):
        serve(link)
    os._exit(0)  # the native threads need no farewell


if __name__ == "__main__":
    main()
