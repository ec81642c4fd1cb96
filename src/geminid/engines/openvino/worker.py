"""The engine process: inbox → step → outbox, at its own pace.

Two threads. The reader takes frames from the link, renders and tokenises prompts; the stepper (the
main thread) owns the pipeline: it drains what the reader prepared, steps all running answers, and
hands out what was produced in one frame per step. The server may kill this process at any moment;
when the server goes, the link ends and so does this process.

Run as ``python -m geminid.engines.openvino.worker FD``, where FD is a connected stream socket.
"""

from __future__ import annotations

import contextlib
import ctypes
import logging
import os
import queue
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import NamedTuple

from geminid.core.request import Sampling
from geminid.engines.openvino.detokenize import Detokenizer, TokenBytes
from geminid.engines.openvino.messages import (
    Accepted,
    Cancel,
    Count,
    Counted,
    Delta,
    FromWorker,
    Load,
    Message,
    Ready,
    Refused,
    Stepped,
    Submit,
    ToWorker,
    decode_to_worker,
    frame,
)
from geminid.engines.openvino.pipeline import Answer, Draw, Pipeline, Produced
from geminid.engines.openvino.prompt import Prompt, TemplateRefusal

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


class Prepared(NamedTuple):
    """A request whose prompt is tokenised and fits."""

    submit: Submit
    token_ids: list[int]
    draws: list[Draw]


class Outbox:
    """The sending side of the link, shared by both threads."""

    def __init__(self, link: socket.socket) -> None:
        self._link = link
        self._lock = threading.Lock()

    def send(self, value: FromWorker) -> None:
        """Send one frame whole."""
        with self._lock:
            self._link.sendall(frame(value))


class Reader(threading.Thread):
    """Frames in; prepared requests and cancellations out, in their order. None: the link has ended."""

    def __init__(
        self, messages: Iterator[ToWorker], outbox: Outbox, pipeline: Pipeline, prompt: Prompt, load: Load
    ) -> None:
        super().__init__(daemon=True, name="reader")
        self._messages, self._outbox, self._pipeline, self._prompt = messages, outbox, pipeline, prompt
        self._tokens_max = load.context_tokens_max
        self.inbox: queue.SimpleQueue[Prepared | Cancel | None] = queue.SimpleQueue()

    def run(self) -> None:
        """Read until the server hangs up."""
        try:
            for message in self._messages:
                self._take(message)
        finally:
            self.inbox.put(None)

    def _take(self, message: ToWorker) -> None:
        match message:
            case Cancel():
                self.inbox.put(message)
            case Count(id, messages):
                self._guarded(id, lambda: self._outbox.send(Counted(id, len(self._tokens(messages)))))
            case Submit():
                self._guarded(message.id, lambda: self._prepare(message))

    def _guarded(self, request_id: int, work: Callable[[], None]) -> None:
        """Templates and tokenizers are other people's: whatever they throw costs one request only."""
        try:
            work()
        except TemplateRefusal as refusal:
            self._outbox.send(Refused(id=request_id, kind="invalid", message=str(refusal)))
        except OSError:
            raise  # the link is gone
        except Exception as error:
            log.exception("prompt of request %d", request_id)
            self._outbox.send(Refused(id=request_id, kind="failed", message=repr(error)))

    def _prepare(self, submit: Submit) -> None:
        ids = self._tokens(submit.messages)
        prompt_max = min(self._tokens_max, self._pipeline.kv_tokens_max or self._tokens_max) - 1
        if len(ids) > prompt_max:
            self._outbox.send(Refused(id=submit.id, kind="too_long", tokens=len(ids), tokens_max=prompt_max))
            return
        tokens_max = min(submit.tokens_max, prompt_max + 1 - len(ids))
        draws = [
            self._pipeline.draw(_seeded(submit.sampling, candidate), tokens_max, submit.logprobs)
            for candidate in range(submit.candidates)
        ]
        self._outbox.send(Accepted(submit.id, len(ids)))
        self.inbox.put(Prepared(submit, ids, draws))

    def _tokens(self, messages: tuple[Message, ...]) -> list[int]:
        ids = self._pipeline.encode(self._prompt.render(messages))
        if not ids:
            raise TemplateRefusal("The prompt is empty.")
        return ids


class Stepper:
    """The loop. It owns the pipeline and every running answer."""

    def __init__(self, pipeline: Pipeline, reader: Reader, outbox: Outbox) -> None:
        self._pipeline, self._reader, self._outbox = pipeline, reader, outbox
        control = pipeline.control_tokens()
        self._token_bytes = TokenBytes(pipeline.vocabulary(), control.keys() | pipeline.stop_ids)
        self._running: dict[tuple[int, int], Running] = {}

    def run(self) -> None:
        """Step until the server hangs up."""
        while self._drain():
            self._pipeline.step()
            deltas = list(self._deltas())
            self._outbox.send(Stepped(deltas, len(self._running), self._pipeline.kv_used()))

    def _drain(self) -> bool:
        """Take everything that waits; wait only when there is nothing to step. False: hung up."""
        inbox = self._reader.inbox
        while True:
            try:
                item = inbox.get(block=not self._pipeline.busy())
            except queue.Empty:
                return True
            match item:
                case None:
                    return False
                case Cancel(id):
                    self._cancel(id)
                case Prepared():
                    self._start(item)

    def _start(self, prepared: Prepared) -> None:
        submit = prepared.submit
        for candidate, draw in enumerate(prepared.draws):
            answer = self._pipeline.add(prepared.token_ids, draw)
            spelling = Detokenizer(self._token_bytes, submit.stop)
            self._running[submit.id, candidate] = Running(submit, candidate, answer, spelling)

    def _cancel(self, request_id: int) -> None:
        for key in [key for key in self._running if key[0] == request_id]:
            self._running.pop(key).answer.cancel()

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
        return Delta(running.submit.id, running.candidate, text, len(spoken), finish, logprobs)  # type: ignore[arg-type]

    def _logprobs(self, produced: Produced) -> Iterator[tuple[str, int, float]]:
        for token_id, logprob in zip(produced.token_ids, produced.logprobs, strict=False):
            if token_id not in self._pipeline.stop_ids:
                yield self._token_bytes(token_id).decode("utf-8", "replace"), token_id, logprob


def frames(link: socket.socket) -> Iterator[ToWorker]:
    """Yield messages until the other side hangs up."""
    with link.makefile("rb") as stream:
        while len(header := stream.read(4)) == 4:
            yield decode_to_worker(stream.read(int.from_bytes(header, "big")))


def _seeded(sampling: Sampling, candidate: int) -> Sampling:
    """Each candidate draws its own numbers; a request without a seed gets one by chance."""
    seed = sampling.seed if sampling.seed is not None else int.from_bytes(os.urandom(4), "big")
    return Sampling(
        temperature=sampling.temperature,
        top_p=sampling.top_p,
        top_k=sampling.top_k,
        seed=(seed + candidate) % 2**32,
        presence_penalty=sampling.presence_penalty,
        frequency_penalty=sampling.frequency_penalty,
    )


def serve(link: socket.socket) -> None:
    """Load what the first frame names and answer until the server hangs up."""
    messages = frames(link)
    load = next(messages)
    assert isinstance(load, Load)
    began = time.monotonic()
    outbox = Outbox(link)
    pipeline = Pipeline(load)
    prompt = Prompt(
        load.chat_template or pipeline.tokenizer.chat_template,
        list(pipeline.control_tokens().values()),
        bos_token=pipeline.tokenizer.get_bos_token(),
        eos_token=pipeline.tokenizer.get_eos_token(),
        **load.template_options,
    )
    reader = Reader(messages, outbox, pipeline, prompt, load)
    stepper = Stepper(pipeline, reader, outbox)
    outbox.send(
        Ready(
            load_ms=int((time.monotonic() - began) * 1000),
            kv_tokens_max=pipeline.kv_tokens_max,
            context_tokens_max=load.context_tokens_max,
        )
    )
    reader.start()
    stepper.run()


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
    with link, contextlib.suppress(BrokenPipeError, ConnectionResetError):
        serve(link)
    os._exit(0)  # the native threads need no farewell


if __name__ == "__main__":
    main()
