"""The engine process: inbox → step → outbox, at its own pace, in one thread.

One thread, because the library holds the interpreter lock for the whole of a step (measured with
2026.4: a second thread got one turn for each step). So between two steps everything that has arrived
is taken at once: cancellations first, then new prompts are rendered, tokenised, queued and begun, for a
bounded time while other answers are running. The lines of batches come last (``background.py``): they get
what of the next step nobody else wants. The server may kill this process at any moment; when the
server goes, the link ends and so does this process.

Run as ``python -m geminid.engines.openvino.worker FD``, where FD is a connected stream socket.
"""

from __future__ import annotations

import contextlib
import functools
import gc
import logging
import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from geminid.core.content import Modality, Picture
from geminid.core.usage import added
from geminid.engines.openvino.background import Background
from geminid.engines.openvino.eyes import Scales, Shown
from geminid.engines.openvino.idle import Idle
from geminid.engines.openvino.known import Tokens, tokens_of
from geminid.engines.openvino.labelling import Labelling, Scorer
from geminid.engines.openvino.messages import (
    Accepted,
    Cancel,
    Conversation,
    Count,
    Counted,
    Delta,
    Drop,
    Found,
    Keep,
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
from geminid.engines.openvino.prefixes import Prefixes
from geminid.engines.openvino.prompt import Prompt, TemplateRefusal
from geminid.engines.openvino.shares import located, shares, within
from geminid.engines.openvino.turnstile import Turnstile
from geminid.engines.openvino.writing import Opened, Opening, Spelling, Writing, missing
from geminid.process.inbox import HungUp, Inbox, Outbox
from geminid.process.lifeline import die_with_parent

PREPARE_S_MAX = 0.05
"""How long running answers wait for new prompts to be read, and again for them to be begun, between two
steps; one of each always gets its turn."""
TOO_MANY = (
    "The pictures take {} tokens together, and this model is given at most {} of them at once: send fewer "
    "pictures, or a lower media resolution."
)
BATCH_URGENCY = 3
"""What is this urgent or less only gets what others leave."""
KV_FULL = 0.9
"""With so much of the cells in use no more lines are begun."""
OOM_SCORE = 600
"""Linux kills this process before the server when memory runs out."""

log = logging.getLogger("geminid.engine")


class Rendered(NamedTuple):
    """A prompt as text and as the pipeline takes it, how many tokens it has, and how many from media."""

    text: str
    prompt: PipelinePrompt
    tokens: int
    media: dict[Modality, int]


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
        self._unheard: dict[int, float] = {}  # begun, and has said nothing since
        self._idle = Idle(load.batch_tokens_max)
        self._lines = Background(pipeline, self._opening, self._written, load.batch_tokens_max)
        self._labels = Labelling(
            self._opening,
            self._unthinking,
            self._label_begun,
            self._lines.take_opened,
            functools.partial(_label_scorer, load) if load.label_graph else None,
            pipeline.vocabulary() if load.label_graph else {},
            load.batch_tokens_max,
        )
        self._lines_turn = False
        self._following: list[tuple[Opening, int]] = []
        self._found: dict[int, Found] = {}
        self._found_min = load.implicit_tokens_min
        self._prefixes = Prefixes(
            pipeline,
            self._rendered,
            self._submit,
            self._cancel,
            outbox.send,
            tokens_max=kept_tokens_max(load, pipeline.kv_tokens_max or window),
            prompt_tokens_max=self._prompt_tokens_max,
            foreign=sorted(self._spelling.control, key=lambda token: token in pipeline.stop_ids)[:2],
        )

    @property
    def cached_tokens_max(self) -> int:
        """How many tokens of prefixes are kept at the most."""
        return self._prefixes.tokens_max

    def run(self) -> None:
        """Step until the server hangs up, which raises ``HungUp``."""
        while True:
            self.turn()

    def turn(self) -> None:
        """Take what has arrived, begin what may be begun, and step."""
        self._drain()
        self._prepare_some()
        self._read_prefix()
        self._begin_some()
        others = bool(self._waiting or self._prepared or self._following or self._running)
        allowance = self._idle.allowance(time.monotonic(), others)
        if self._lines_wait and not others and (pause_s := self._idle.pause_s(time.monotonic())):
            self._inbox.wait(pause_s)
            return
        began_s = time.monotonic()
        if labels := self._label_some(allowance):
            lines = 0
        else:
            lines = self._lines.turn(allowance, self._full()) if self._lines.waits else 0
        if self._pipeline.busy() and (others or not labels):
            self._pipeline.step()
        elif not labels:
            return
        self._stepped(others, labels + lines, began_s)

    def _label_some(self, allowance: int) -> int:
        """Choose labels, every other time if other lines wait, too; return how many tokens that were."""
        turn = allowance and self._labels.waits and not self._lines_turn
        labels = self._labels.turn(allowance, self._full()) if turn else 0
        self._lines_turn = labels > 0 and self._lines.waits
        return labels

    @property
    def _lines_wait(self) -> bool:
        return self._lines.waits or self._labels.waits

    def _full(self) -> Callable[[], bool]:
        """Return what says whether this turn may begin no more lines."""
        until = time.monotonic() + PREPARE_S_MAX
        crowded = self._pipeline.kv_used() > KV_FULL
        return lambda: crowded or time.monotonic() > until

    # -- what arrives --------------------------------------------------------------------------------

    def _drain(self) -> None:
        """Take everything that has arrived; wait only when there is nothing else to do."""
        work = self._waiting or self._prepared or self._following or self._lines_wait or self._prefixes.waits
        idle = not work and not self._pipeline.busy()
        for message in self._inbox.take(wait=idle):
            match message:
                case Cancel(id):
                    self._cancel(id)
                case Submit():
                    self._submit(message)
                case Count():
                    self._waiting[message.id] = message
                case Keep():
                    self._prefixes.take(message)
                case Drop(prefix):
                    self._prefixes.drop(prefix)
                case Load():
                    raise ValueError("a model is loaded once")

    def _submit(self, submit: Submit) -> None:
        if submit.urgency >= BATCH_URGENCY:
            (self._labels if self._labels.takes(submit) else self._lines).take(submit)
        else:
            self._waiting[submit.id] = submit

    def _read_prefix(self) -> None:
        idle = not (self._waiting or self._prepared or self._following or self._running or len(self._lines))
        if (error := self._prefixes.read_one(idle)) is not None:
            log.error("a prefix", exc_info=error)

    def _cancel(self, request_id: int) -> None:
        self._waiting.pop(request_id, None)
        self._prepared.leave(request_id)
        self._following = [each for each in self._following if each[0].submit.id != request_id]
        self._unheard.pop(request_id, None)
        self._labels.cancel(request_id)
        self._lines.cancel(request_id)
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
        if (opening := self._opening(message)) is not None:
            self._prepared.enter(message.id, opening, opening.submit.urgency, opening.submit.project)

    def _opening(self, message: Submit | Count) -> Opening | None:
        """Say what becomes of a message, and return what is to be begun if that is anything."""
        if (opening := self._prefixes.opening(message.id, time.monotonic())) is not None:
            return opening
        answer: Accepted | Counted | Refused
        try:
            answer, opening = self._admit(message, self._rendered(message.conversation))
        except (TemplateRefusal, BadPicture) as refusal:
            answer = Refused(id=message.id, kind="invalid", message=str(refusal))
        except Exception as error:
            log.exception("prompt of request %d", message.id)
            answer = Refused(id=message.id, kind="failed", message=repr(error))
        self._outbox.send(answer)
        return opening

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

    def _admit(
        self, message: Submit | Count, rendered: Rendered
    ) -> tuple[Accepted | Counted | Refused, Opening | None]:
        """Take the request, or only count."""
        text, prompt, tokens, media = rendered
        cached, cached_media = self._cached(message, rendered)
        if isinstance(message, Count):
            return Counted(message.id, tokens, media, cached, cached_media), None
        behind = self._behind(message)
        taken = tokens + self._marker_tokens(message, behind)
        room = self._prompt_tokens_max + 1 - taken
        if room < 1:
            limit = self._prompt_tokens_max
            return Refused(id=message.id, kind="too_long", tokens=taken, tokens_max=limit), None
        opened = Opened(text, prompt, behind, cached)
        opening = Opening(message, opened, min(message.tokens_max, room), time.monotonic())
        return Accepted(message.id, tokens, media, cached, cached_media), opening

    def _cached(self, message: Submit | Count, rendered: Rendered) -> tuple[int, dict[Modality, int]]:
        """Return what the prefix makes up that a message names."""
        if not message.prefix:
            return 0, {}
        tokens, media = self._prefixes.cached(message.prefix, rendered)
        if media is None and rendered.media:
            media = self._within(message.conversation, rendered.text, rendered.prompt, tokens)
            return (tokens, media) if media is not None else (0, {})
        return tokens, media or {}

    def _within(
        self, conversation: Conversation, text: str, prompt: PipelinePrompt, tokens: int
    ) -> dict[Modality, int] | None:
        """Return the modalities of the first ``tokens`` of a prompt, None where nobody knows."""
        if isinstance(prompt, Shown):
            return None
        spans = located(text, self._prompt.passages(conversation))
        return within(text, prompt, spans, self._spelling.length_bytes, tokens)

    def _find(self, submit: Submit, opened: Opened, found: int) -> None:
        """Note what a request found, beyond the prefix that it names; nothing where nobody knows whether that
        was text."""
        prompt, cached = opened.prompt, opened.cached
        found = min(found, len(prompt))
        if found < self._found_min or found <= cached or isinstance(prompt, Shown):
            return
        media: dict[Modality, int] = {}
        if any(True for _ in self._prompt.passages(submit.conversation)):
            ends = [self._within(submit.conversation, opened.text, prompt, n) for n in (cached, found)]
            if ends[0] is None or ends[1] is None:
                return
            media = {kind: n - ends[0].get(kind, 0) for kind, n in ends[1].items()}
        self._found[submit.id] = Found(found - cached, {kind: n for kind, n in media.items() if n})

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
        self._follow()
        while self._prepared and len(self._running) + len(self._following) < self._sequences_max:
            opening = self._prepared.next()
            self._unheard[opening.submit.id] = time.monotonic()
            self._following += ((opening, candidate) for candidate in range(opening.submit.candidates))
            self._follow()
            if time.monotonic() > until:
                return

    def _follow(self) -> None:
        """Begin what has had its turn, but for answers that would find more of their prompt when another one
        is read: that is read before theirs in any case."""
        waiting, self._following = self._following, []
        failed: set[int] = set()
        for opening, candidate in waiting:
            if opening.submit.id in failed:
                continue
            if self._pipeline.busy() and self._pipeline.awaited(opening.opened.prompt):
                self._following.append((opening, candidate))
            elif (writing := self._written(opening, candidate)) is None:
                failed.add(opening.submit.id)
            else:
                self._running[opening.submit.id, candidate] = writing

    def _written(self, opening: Opening, candidate: int) -> Writing | None:
        """Begin an answer; when that fails, its request is refused and forgotten."""
        submit, opened, tokens_max, since_s = opening
        if not candidate:
            self._begun[submit.id] = int((time.monotonic() - since_s) * 1000)
        try:
            writing = Writing(submit, candidate, opened, tokens_max, self._pipeline, self._spelling)
            line = submit.urgency >= BATCH_URGENCY
            found = self._lines.found.pop(submit.id, 0) if line else writing.found or 0
            if not candidate:
                self._find(submit, opened, found)
            return writing
        except Exception as error:
            log.exception("request %d", submit.id)
            if self._prefixes.fail(submit.id):
                return None
            self._cancel(submit.id)
            self._outbox.send(Refused(id=submit.id, kind="failed", message=repr(error)))
            return None

    def _unthinking(self, opening: Opening) -> Tokens:
        """Return the tokens behind which a label is written."""
        skip = missing(opening.submit.skip, opening.opened.text)
        return tokens_of(self._pipeline.then(opening.opened.prompt, [], skip))

    def _label_begun(self, opening: Opening, found: int) -> None:
        self._begun[opening.submit.id] = int((time.monotonic() - opening.since_s) * 1000)
        self._find(opening.submit, opening.opened, found)

    def _stepped(self, others: bool, lines: int, began_s: float) -> None:
        now_s = time.monotonic()
        self._idle.stepped(now_s, now_s - began_s, others=others, waits=self._lines_wait, tokens=lines)
        said = (*self._deltas(), *self._lines.deltas(), *self._labels.deltas())
        deltas = [delta for delta in said if not self._prefixes.takes(delta)]
        self._prefixes.tend()
        begun, self._begun = self._begun, {}
        found, self._found = self._found, {}
        running = len(self._running) + len(self._lines) + len(self._labels)
        self._outbox.send(Stepped(deltas, running, self._pipeline.kv_used(), begun, found))

    def _deltas(self) -> Iterator[Delta]:
        for key, writing in list(self._running.items()):
            if (delta := self._read(key, writing)) is None:
                continue
            if delta.finish:
                self._running.pop(key)
            if (begun_s := self._unheard.pop(key[0], None)) is not None:
                self._idle.first_token(time.monotonic() - begun_s)
            yield delta

    def _read(self, key: tuple[int, int], writing: Writing) -> Delta | None:
        """What goes wrong between two stretches costs one answer only."""
        try:
            return writing.read()
        except Exception:
            log.exception("answer %s", key)
            writing.cancel()
            return Delta(*key, text="", tokens=0, finish="failed")


def _label_scorer(load: Load) -> Scorer:
    """Compile what reads for labels."""
    from geminid.engines.openvino.label_scorer import LabelScorer  # few processes need it

    return LabelScorer(Path(load.weights), load.properties)


def kept_tokens_max(load: Load, kv_tokens_max: int) -> int:
    """Return how many tokens of prefixes are kept: answers need some cells, too."""
    return min(load.cached_tokens_max or kv_tokens_max // 2, kv_tokens_max * 3 // 4)


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
            cached_tokens_max=worker.cached_tokens_max,
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
