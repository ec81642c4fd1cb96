"""The engine process: inbox → step → outbox, at its own pace, in one thread.

One thread, because the library holds the interpreter lock for the whole of a step (measured with
2026.4: a second thread got one turn for each step). So between two steps everything that has arrived
is taken at once: cancellations first, then new prompts are rendered, tokenised and queued, for a
bounded time while other answers are running. The server may kill this process at any moment; when the
server goes, the link ends and so does this process.

Run as ``python -m geminid.engines.openvino.worker FD``, where FD is a connected stream socket.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import logging
import os
import signal
import socket
import sys
import time
from collections.abc import Iterator
from typing import NamedTuple

import msgspec

from geminid.core.request import Sampling
from geminid.engines.openvino.detokenize import Detokenizer, TokenBytes
from geminid.engines.openvino.inbox import HungUp, Inbox, Outbox
from geminid.engines.openvino.messages import (
    Accepted,
    Cancel,
    Count,
    Counted,
    Delta,
    Load,
    Ready,
    Refused,
    Stepped,
    Submit,
)
from geminid.engines.openvino.pipeline import Answer, Pipeline, Produced
from geminid.engines.openvino.prompt import Prompt, TemplateRefusal

PREPARE_S_MAX = 0.05
"""How long running answers wait for new prompts to be read, between two steps."""
PR_SET_PDEATHSIG = 1
OOM_SCORE = "600"
"""Linux kills this process before the server when memory runs out."""

log = logging.getLogger("geminid.engine")


class Running(NamedTuple):
    """One answer in the making."""

    submit: Submit
    candidate: int
    answer: Answer
    spelling: Detokenizer


class Worker:
    """Owns the pipeline, the requests that wait to be prepared, and every running answer."""

    def __init__(self, load: Load, pipeline: Pipeline, inbox: Inbox, outbox: Outbox) -> None:
        control = pipeline.control_tokens()
        self._pipeline, self._inbox, self._outbox = pipeline, inbox, outbox
        self._token_bytes = TokenBytes(pipeline.vocabulary(), control.keys() | pipeline.stop_ids)
        self._prompt = Prompt(
            load.chat_template or pipeline.tokenizer.chat_template,
            list(control.values()),
            bos_token=pipeline.tokenizer.get_bos_token(),
            eos_token=pipeline.tokenizer.get_eos_token(),
            **load.template_options,
        )
        window = load.context_tokens_max
        self._prompt_tokens_max = min(window, pipeline.kv_tokens_max or window) - 1
        self._waiting: dict[int, Submit | Count] = {}
        self._running: dict[tuple[int, int], Running] = {}

    def run(self) -> None:
        """Step until the server hangs up, which raises ``HungUp``."""
        while True:
            self._drain()
            self._prepare_some()
            if self._pipeline.busy():
                self._step()

    # -- what arrives --------------------------------------------------------------------------------

    def _drain(self) -> None:
        """Take everything that has arrived; wait only when there is nothing else to do."""
        for message in self._inbox.take(wait=not self._waiting and not self._pipeline.busy()):
            match message:
                case Cancel(id):
                    self._cancel(id)
                case Submit() | Count():
                    self._waiting[message.id] = message
                case Load():
                    raise ValueError("a model is loaded once")

    def _cancel(self, request_id: int) -> None:
        self._waiting.pop(request_id, None)
        for key in [key for key in self._running if key[0] == request_id]:
            self._running.pop(key).answer.cancel()

    def _prepare_some(self) -> None:
        """Prepare what waits, in its order, for as long as running answers may be kept waiting."""
        until = time.monotonic() + PREPARE_S_MAX
        while self._waiting:
            self._prepare(self._waiting.pop(next(iter(self._waiting))))
            if time.monotonic() > until:
                return

    def _prepare(self, message: Submit | Count) -> None:
        """Templates and tokenizers are other people's: whatever they throw costs one request only."""
        answer: Accepted | Counted | Refused
        try:
            token_ids = self._pipeline.encode(self._prompt.render(message.messages))
            if not token_ids:
                raise TemplateRefusal("The prompt is empty.")
            answer = self._start(message, token_ids)
        except TemplateRefusal as refusal:
            answer = Refused(id=message.id, kind="invalid", message=str(refusal))
        except Exception as error:
            log.exception("prompt of request %d", message.id)
            answer = Refused(id=message.id, kind="failed", message=repr(error))
        self._outbox.send(answer)

    def _start(self, submit: Submit | Count, token_ids: list[int]) -> Accepted | Counted | Refused:
        """Queue one answer for each candidate, or only count."""
        if isinstance(submit, Count):
            return Counted(submit.id, len(token_ids))
        room = self._prompt_tokens_max + 1 - len(token_ids)
        if room < 1:
            return Refused(
                id=submit.id, kind="too_long", tokens=len(token_ids), tokens_max=self._prompt_tokens_max
            )
        tokens_max = min(submit.tokens_max, room)
        draws = [
            self._pipeline.draw(_seeded(submit.sampling, candidate), tokens_max, submit.logprobs)
            for candidate in range(submit.candidates)
        ]
        for candidate, draw in enumerate(draws):
            answer = self._pipeline.add(token_ids, draw)
            spelling = Detokenizer(self._token_bytes, submit.stop)
            self._running[submit.id, candidate] = Running(submit, candidate, answer, spelling)
        return Accepted(submit.id, len(token_ids))

    def _step(self) -> None:
        self._pipeline.step()
        deltas = list(self._deltas())
        self._outbox.send(Stepped(deltas, len(self._running), self._pipeline.kv_used()))

    # -- what a step produced ------------------------------------------------------------------------

    def _deltas(self) -> Iterator[Delta]:
        for key, running in list(self._running.items()):
            if (produced := running.answer.read()) is None:
                continue
            delta = self._delta(running, produced)
            if delta.finish:
                self._running.pop(key)
                if running.spelling.stopped:
                    running.answer.cancel()
            yield delta

    def _delta(self, running: Running, produced: Produced) -> Delta:
        spoken = [i for i in produced.token_ids if i not in self._pipeline.stop_ids]
        text, finish = running.spelling.put(spoken), produced.ended
        if running.spelling.stopped:
            finish = "stop"
        elif finish:
            text += running.spelling.finish()
        logprobs = tuple(self._logprobs(produced)) if running.submit.logprobs else ()
        return Delta(running.submit.id, running.candidate, text, len(spoken), finish, logprobs)

    def _logprobs(self, produced: Produced) -> Iterator[tuple[str, int, float]]:
        for token_id, logprob in zip(produced.token_ids, produced.logprobs, strict=False):
            if token_id not in self._pipeline.stop_ids:
                yield self._token_bytes(token_id).decode("utf-8", "replace"), token_id, logprob


def _seeded(sampling: Sampling, candidate: int) -> Sampling:
    """Each candidate draws its own numbers; a request without a seed gets one by chance."""
    seed = sampling.seed if sampling.seed is not None else int.from_bytes(os.urandom(4), "big")
    return msgspec.structs.replace(sampling, seed=(seed + candidate) % 2**32)


def serve(link: socket.socket) -> None:
    """Load what the first message names and answer until the server hangs up."""
    inbox, outbox = Inbox(link), Outbox(link)
    (load,) = inbox.take(wait=True)
    if not isinstance(load, Load):
        raise ValueError("the first message says what to load")
    began = time.monotonic()
    pipeline = Pipeline(load)
    worker = Worker(load, pipeline, inbox, outbox)
    outbox.send(
        Ready(
            load_ms=int((time.monotonic() - began) * 1000),
            kv_tokens_max=pipeline.kv_tokens_max,
            context_tokens_max=load.context_tokens_max,
        )
    )
    gc.collect()
    gc.freeze()  # what was built lives as long as the process: the collector need not look at it again
    worker.run()


def _die_with_parent() -> None:
    """Ask Linux to end this process with the server, even in the middle of a native step."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        with open("/proc/self/oom_score_adj", "w") as score:
            score.write(OOM_SCORE)


def main() -> None:
    """Entry point of the process."""
    logging.basicConfig(format="%(message)s", level=logging.INFO, stream=sys.stderr)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the server's to handle
    _die_with_parent()
    link = socket.socket(fileno=int(sys.argv[1]))
    with link, contextlib.suppress(HungUp, BrokenPipeError, ConnectionResetError):
        serve(link)
    os._exit(0)  # the native threads need no farewell


if __name__ == "__main__":
    main()
