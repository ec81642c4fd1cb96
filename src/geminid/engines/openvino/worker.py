"""The engine process: inbox → step → outbox, at its own pace, in one thread.

One thread, because the library holds the interpreter lock for the whole of a step (measured with
2026.4: a second thread got one turn for each step). So between two steps everything that has arrived
is taken at once: cancellations first, then new prompts are rendered, tokenised, queued and begun, for a
bounded time while other answers are running. The server may kill this process at any moment; when the
server goes, the link ends and so does this process.

Run as ``python -m geminid.engines.openvino.worker FD``, where FD is a connected stream socket.
"""

from __future__ import annotations

import contextlib
import gc
import logging
import os
import signal
import socket
import sys
import time
from collections.abc import Iterator
from typing import NamedTuple

from geminid.core.content import Modality, Picture
from geminid.core.usage import added
from geminid.engines.openvino.eyes import Scales, Shown
from geminid.engines.openvino.messages import (
    Accepted,
    Cancel,
    Conversation,
    Count,
    Counted,
    Delta,
    Load,
    Ready,
    Refused,
    Stepped,
    Submit,
    ToWorker,
    decode_to_worker,
)
from geminid.engines.openvino.pipeline import BadPicture, Pipeline, size_of
from geminid.engines.openvino.pipeline import Prompt as PipelinePrompt
from geminid.engines.openvino.prompt import Prompt, TemplateRefusal
from geminid.engines.openvino.shares import located, shares
from geminid.engines.openvino.turnstile import Turnstile
from geminid.engines.openvino.writing import Opened, Spelling, Writing
from geminid.process.inbox import HungUp, Inbox, Outbox
from geminid.process.lifeline import die_with_parent

PREPARE_S_MAX = 0.05
"""How long running answers wait for new prompts to be read, and again for them to be begun, between two
steps; one of each always gets its turn."""
TOO_MANY = (
    "The pictures take {} tokens together, and this model is given at most {} of them at once: send fewer "
    "pictures, or a lower media resolution."
)
OOM_SCORE = 600
"""Linux kills this process before the server when memory runs out."""

log = logging.getLogger("geminid.engine")


class Rendered(NamedTuple):
    """A prompt as text and as the pipeline takes it, how many tokens it has, and how many from media."""

    text: str
    prompt: PipelinePrompt
    tokens: int
    media: dict[Modality, int]


class Opening(NamedTuple):
    """A request that is tokenised and waits for its turn, since when. ``tokens_max`` is what fits into the
    window."""

    submit: Submit
    opened: Opened
    tokens_max: int
    since_s: float


class Worker:
    """Owns the pipeline, the requests that wait to be prepared or begun, and every running answer."""

    def __init__(self, load: Load, pipeline: Pipeline, inbox: Inbox[ToWorker], outbox: Outbox) -> None:
        self._pipeline, self._inbox, self._outbox = pipeline, inbox, outbox
        self._spelling = Spelling(pipeline)
        self._prompt = Prompt(
            load.chat_template or pipeline.tokenizer.chat_template,
            list(self._spelling.control.values()),
            sees=load.sees,
            bos_token=pipeline.tokenizer.get_bos_token(),
            eos_token=pipeline.tokenizer.get_eos_token(),
            **load.template_options,
        )
        window = load.context_tokens_max
        limits = (window, pipeline.kv_tokens_max or window, pipeline.cut_at or window)
        self._prompt_tokens_max = min(limits) - 1
        self._sequences_max = load.sequences_max
        self._scales = Scales(pipeline.weigh) if load.sees else None
        self._picture_tokens_max = load.picture_tokens_max
        self._waiting: dict[int, Submit | Count] = {}
        self._prepared = Turnstile[Opening]()
        self._running: dict[tuple[int, int], Writing] = {}
        self._begun: dict[int, int] = {}

    def run(self) -> None:
        """Step until the server hangs up, which raises ``HungUp``."""
        while True:
            self._drain()
            self._prepare_some()
            self._begin_some()
            if self._pipeline.busy():
                self._step()

    # -- what arrives --------------------------------------------------------------------------------

    def _drain(self) -> None:
        """Take everything that has arrived; wait only when there is nothing else to do."""
        idle = not self._waiting and not self._prepared and not self._pipeline.busy()
        for message in self._inbox.take(wait=idle):
            match message:
                case Cancel(id):
                    self._cancel(id)
                case Submit() | Count():
                    self._waiting[message.id] = message
                case Load():
                    raise ValueError("a model is loaded once")

    def _cancel(self, request_id: int) -> None:
        self._waiting.pop(request_id, None)
        self._prepared.leave(request_id)
        for key in [key for key in self._running if key[0] == request_id]:
            self._running.pop(key).cancel()

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
            answer = self._admit(message, self._rendered(message.conversation))
        except (TemplateRefusal, BadPicture) as refusal:
            answer = Refused(id=message.id, kind="invalid", message=str(refusal))
        except Exception as error:
            log.exception("prompt of request %d", message.id)
            answer = Refused(id=message.id, kind="failed", message=repr(error))
        self._outbox.send(answer)

    def _rendered(self, conversation: Conversation) -> Rendered:
        """Render and count a prompt."""
        text = self._prompt.render(conversation)
        token_ids = self._pipeline.encode(text)
        if not token_ids:
            raise TemplateRefusal("The prompt is empty.")
        spans = located(text, self._prompt.passages(conversation))
        media = shares(text, token_ids, spans, self._spelling.length_bytes, self._pipeline.encode)
        if self._scales is None:
            return Rendered(text, token_ids, len(token_ids), media)
        pictures = pictures_of(conversation)
        sizes = [size_of(picture.data) for picture in pictures]
        takes = [self._scales.picture(size) for size in sizes]
        if sum(takes) > self._picture_tokens_max:
            raise BadPicture(TOO_MANY.format(sum(takes), self._picture_tokens_max))
        for picture, taken in zip(pictures, takes, strict=True):
            media = added(media, {picture.modality: taken})
        shown = Shown(text, tuple(picture.data for picture in pictures))
        if len(token_ids) > self._prompt_tokens_max:  # else the library would embed every word first
            return Rendered(text, shown, len(token_ids) + sum(takes), media)
        return Rendered(text, shown, self._scales.count(text, sizes), media)

    def _admit(self, message: Submit | Count, rendered: Rendered) -> Accepted | Counted | Refused:
        """Queue the request, or only count."""
        text, prompt, tokens, media = rendered
        if isinstance(message, Count):
            return Counted(message.id, tokens, media)
        behind = self._behind(message)
        taken = tokens + self._marker_tokens(message, behind)
        room = self._prompt_tokens_max + 1 - taken
        if room < 1:
            return Refused(id=message.id, kind="too_long", tokens=taken, tokens_max=self._prompt_tokens_max)
        opened = Opened(text, prompt, behind)
        opening = Opening(message, opened, min(message.tokens_max, room), time.monotonic())
        self._prepared.enter(message.id, opening, message.urgency, message.project)
        return Accepted(message.id, tokens, media)

    def _behind(self, submit: Submit) -> str:
        """Return what stands between a thought and the answer, where these are turns of their own."""
        if submit.think is None or not submit.think.follow_up:
            return ""
        return self._prompt.follow_up(submit.conversation, submit.think.follow_up)

    def _marker_tokens(self, submit: Submit, behind: str) -> int:
        """Return how much of the window the words around a thought and before a call take."""
        think, calling = submit.think, submit.calling
        markers = [think.opening, think.closing, behind] if think is not None else [submit.skip]
        if calling is not None:
            markers.append(calling.begin + calling.opening)
        return sum(len(self._pipeline.encode(marker)) for marker in markers if marker)

    def _begin_some(self) -> None:
        """Begin what was prepared, the most urgent first, as long as answers can advance together and for as
        long as the others may be kept waiting: to look at a picture may take seconds."""
        until = time.monotonic() + PREPARE_S_MAX
        while self._prepared and len(self._running) < self._sequences_max:
            submit, opened, tokens_max, since_s = self._prepared.next()
            self._begun[submit.id] = int((time.monotonic() - since_s) * 1000)
            try:
                for candidate in range(submit.candidates):
                    self._running[submit.id, candidate] = Writing(
                        submit, candidate, opened, tokens_max, self._pipeline, self._spelling
                    )
            except Exception as error:
                log.exception("request %d", submit.id)
                self._cancel(submit.id)
                self._outbox.send(Refused(id=submit.id, kind="failed", message=repr(error)))
            if time.monotonic() > until:
                return

    def _step(self) -> None:
        self._pipeline.step()
        deltas = list(self._deltas())
        begun, self._begun = self._begun, {}
        self._outbox.send(Stepped(deltas, len(self._running), self._pipeline.kv_used(), begun))

    def _deltas(self) -> Iterator[Delta]:
        for key, writing in list(self._running.items()):
            if (delta := self._read(key, writing)) is None:
                continue
            if delta.finish:
                self._running.pop(key)
            yield delta

    def _read(self, key: tuple[int, int], writing: Writing) -> Delta | None:
        """What goes wrong between two stretches costs one answer only."""
        try:
            return writing.read()
        except Exception:
            log.exception("answer %s", key)
            writing.cancel()
            return Delta(*key, text="", tokens=0, finish="failed")


def pictures_of(conversation: Conversation) -> list[Picture]:
    """Return the pictures of a conversation, in the order of their places."""
    contents = (message.content for message in conversation.messages)
    pieces = (piece for content in contents if not isinstance(content, str) for piece in content)
    return [piece for piece in pieces if isinstance(piece, Picture)]


def serve(link: socket.socket) -> None:
    """Load what the first message names and answer until the server hangs up."""
    inbox, outbox = Inbox(link, decode_to_worker), Outbox(link)
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


def main() -> None:
    """Entry point of the process."""
    logging.basicConfig(format="%(message)s", level=logging.INFO, stream=sys.stderr)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the server's to handle
    die_with_parent(OOM_SCORE)
    link = socket.socket(fileno=int(sys.argv[1]))
    with link, contextlib.suppress(HungUp, BrokenPipeError, ConnectionResetError):
        serve(link)
    os._exit(0)  # the native threads need no farewell


if __name__ == "__main__":
    main()
