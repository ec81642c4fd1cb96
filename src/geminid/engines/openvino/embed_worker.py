"""The process that embeds: texts in, vectors out; crashes here never reach the server.

The main thread receives and tokenises. Each stream is a thread of its own that takes what waits, computes it
in one native call and sends what has become complete; so calls grow by themselves while there is much to do,
and nothing ever waits for company. After an exception in native code the process ends: it is replaced as a
whole.

Run as ``python -m geminid.engines.openvino.embed_worker FD``, where FD is a connected stream socket.
"""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import socket
import sys
import threading
import time
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import openvino
from numpy.typing import NDArray

from geminid.engines.openvino import embed_graph
from geminid.engines.openvino.embed_messages import (
    Alive,
    Cancel,
    Count,
    Counted,
    Embed,
    Embedded,
    Failed,
    FromEmbedder,
    Load,
    Ready,
    ToEmbedder,
    Vector,
    decode_to_embedder,
)
from geminid.engines.openvino.embed_queue import Item, TextQueue, padded
from geminid.engines.openvino.embed_tokens import Tokeniser, Tokens
from geminid.process.inbox import HungUp, Inbox, Outbox
from geminid.process.lifeline import die_with_parent

OOM_SCORE = 500
TEXTS_AT_ONCE = 32
"""Of a long request so many are tokenised, then handed on, so that no stream waits for all of them."""
LENGTH_MIN = 1e-12
"""A vector shorter than that has no direction, and stays as it is."""

Placed = tuple[int, Tokens]
"""The place of a text in its request, and its tokens."""


class Model:
    """The compiled graph. Each stream calls it through a request of its own."""

    def __init__(self, load: Load) -> None:
        graph = embed_graph.load(Path(load.weights), load.pooling, load.context_tokens_max)
        properties = {"NUM_STREAMS": load.streams, "INFERENCE_NUM_THREADS": load.streams} | load.properties
        self._compiled = openvino.Core().compile_model(graph, "CPU", properties)
        self._length_max = load.context_tokens_max
        self.dimensions = int(self._compiled.output(0).partial_shape[1].get_length())

    def request(self) -> Any:
        """Return what one thread calls the model with."""
        return self._compiled.create_infer_request()

    def vectors(self, request: Any, texts: Sequence[Sequence[int]]) -> NDArray[np.float32]:
        """Return a row for each text, of length 1."""
        length = min(padded(max(map(len, texts))), self._length_max)
        ids = np.zeros((len(texts), length), dtype=np.int32)
        mask = np.zeros_like(ids)
        for row, text in enumerate(texts):
            ids[row, : len(text)] = text
            mask[row, : len(text)] = 1
        request.infer({0: ids, 1: mask})
        return np.array(request.get_output_tensor(0).data)


class Answer:
    """The vectors of one request, as far as they are there."""

    def __init__(self, embed: Embed) -> None:
        self.dimensions = embed.dimensions
        self.vectors: list[Vector | None] = [None] * len(embed.texts)
        self.missing = len(embed.texts)

    def add(self, place: int, tokens: Tokens, whole: NDArray[np.float32]) -> None:
        """Add the vector of one text, shortened if that was asked for."""
        vector = whole
        if 0 < self.dimensions[place] < len(whole):
            vector = whole[: self.dimensions[place]]
            vector = vector / max(float(np.linalg.norm(vector)), LENGTH_MIN)
        values = vector.astype("<f4", copy=False).tobytes()
        self.vectors[place] = Vector(values, len(tokens.ids), tokens.truncated)
        self.missing -= 1


class Worker:
    """Answers requests until the server hangs up."""

    def __init__(self, load: Load, inbox: Inbox[ToEmbedder], outbox: Outbox) -> None:
        self._model = Model(load)
        self._tokeniser = Tokeniser(Path(load.weights) / "tokenizer.json", load.context_tokens_max)
        self._inbox, self._outbox = inbox, outbox
        self._sending = threading.Lock()
        self._changed = threading.Condition()  # held for all below
        self._queue: TextQueue[Placed] = TextQueue(load.call_tokens_max)
        self._answers: dict[int, Answer] = {}
        self._streams = load.streams

    @property
    def dimensions(self) -> int:
        """Numbers of the model's vectors."""
        return self._model.dimensions

    def warm_up(self) -> None:
        """Compute once, so that the first caller does not wait for what is prepared only once."""
        tokens = self._tokeniser.read(["warm up"])
        self._model.vectors(self._model.request(), [tokens[0].ids])

    def run(self) -> None:
        """Receive for ever; raises ``HungUp``."""
        for number in range(self._streams):
            threading.Thread(target=self._stream, name=f"stream {number}", daemon=True).start()
        while True:
            messages = self._inbox.take(wait=True)
            left = {message.id for message in messages if isinstance(message, Cancel)}
            for message in messages:
                self._receive(message, left)

    def _receive(self, message: ToEmbedder, left: set[int]) -> None:
        match message:
            case Cancel():
                self._forget(message.id)
            case Embed() | Count() if message.id in left:
                pass
            case Embed():
                self._begin(message)
            case Count():
                self._count(message)
            case _:
                raise ValueError("a model is loaded once")

    # -- the main thread -----------------------------------------------------------------------------

    def _begin(self, embed: Embed) -> None:
        with self._changed:
            self._answers[embed.id] = Answer(embed)
        for first in range(0, len(embed.texts), TEXTS_AT_ONCE):
            try:
                read = self._tokeniser.read(embed.texts[first : first + TEXTS_AT_ONCE])
            except Exception as error:  # the library's own, of whatever kind, for a text that it cannot read
                self._forget(embed.id)
                self._send(Failed(embed.id, f"{type(error).__name__}: {error}"))
                return
            texts = ((len(tokens.ids), (place, tokens)) for place, tokens in enumerate(read, first))
            with self._changed:
                self._queue.put(embed.id, texts, embed.urgency)
                self._changed.notify_all()

    def _count(self, count: Count) -> None:
        try:
            tokens = self._tokeniser.read(count.texts)
        except Exception as error:
            self._send(Failed(count.id, f"{type(error).__name__}: {error}"))
            return
        self._send(Counted(count.id, sum(len(each.ids) for each in tokens)))

    def _forget(self, request: int) -> None:
        with self._changed:
            self._queue.drop(request)
            self._answers.pop(request, None)

    # -- the streams ---------------------------------------------------------------------------------

    def _stream(self) -> None:
        try:
            request = self._model.request()
            while True:
                items = self._next()
                self._finish(items, self._model.vectors(request, [item.content[1].ids for item in items]))
        except OSError:
            os._exit(0)  # the server has gone
        except BaseException:
            traceback.print_exc()
            os._exit(1)

    def _next(self) -> list[Item[Placed]]:
        with self._changed:
            while not (items := self._queue.take()):
                self._changed.wait()
            return items

    def _finish(self, items: list[Item[Placed]], vectors: NDArray[np.float32]) -> None:
        complete: list[FromEmbedder] = []
        with self._changed:
            for item, vector in zip(items, vectors, strict=True):
                if answer := self._answers.get(item.request):
                    answer.add(*item.content, vector)
                    if not answer.missing:
                        del self._answers[item.request]
                        found = tuple(each for each in answer.vectors if each is not None)
                        complete.append(Embedded(item.request, found))
        for message in complete or [Alive()]:
            self._send(message)

    def _send(self, message: FromEmbedder) -> None:
        with self._sending:
            self._outbox.send(message)


def serve(link: socket.socket) -> None:
    """Load what the first message names and answer until the server hangs up."""
    inbox, outbox = Inbox(link, decode_to_embedder), Outbox(link)
    (load,) = inbox.take(wait=True)
    if not isinstance(load, Load):
        raise ValueError("the first message says what to load")
    began = time.monotonic()
    worker = Worker(load, inbox, outbox)
    worker.warm_up()
    outbox.send(Ready(int((time.monotonic() - began) * 1000), worker.dimensions))
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
