"""The loop of the engine process at one end of a link, and a test at the other."""

import socket

from fake_pipeline import FakePipeline
from geminid.core.request import Sampling
from geminid.engines.openvino.messages import (
    Conversation,
    Count,
    Load,
    Message,
    Submit,
    decode_from_worker,
    decode_to_worker,
)
from geminid.engines.openvino.worker import Worker
from geminid.process.frames import frame
from geminid.process.inbox import Inbox, Outbox

LOAD = Load(
    weights="",
    chat_template="{{ messages[-1].content }}",
    template_options={},
    context_tokens_max=50,
    kv_cache_gib=1,
    batch_tokens_max=1,
    sequences_max=64,
    properties={},
)


class Bench:
    """Both ends of a link; ``turn`` lets the worker take, prepare and step once."""

    def __init__(self, load=LOAD, pipeline=None):
        self.server, theirs = socket.socketpair()
        self.server.setblocking(False)
        self.pipeline = pipeline or FakePipeline()
        self.worker = Worker(load, self.pipeline, Inbox(theirs, decode_to_worker), Outbox(theirs))
        self._theirs = theirs
        self._buffer = b""

    def send(self, *messages):
        self.server.sendall(b"".join(map(frame, messages)))

    def turn(self):
        self.send(Count(0, asked("x")))  # so that the worker never waits
        self.worker.turn()
        return [message for message in self.received() if getattr(message, "id", None) != 0]

    def received(self):
        while True:
            try:
                self._buffer += self.server.recv(1 << 20)
            except BlockingIOError:
                break
        while len(self._buffer) >= 4:
            size = int.from_bytes(self._buffer[:4], "big")
            yield decode_from_worker(self._buffer[4 : 4 + size])
            self._buffer = self._buffer[4 + size :]

    def close(self):
        self.server.close()
        self._theirs.close()


def asked(text):
    return Conversation((Message("user", text),))


def submit(number, text, **fields):
    defaults = {
        "sampling": Sampling(seed=1),
        "candidates": 1,
        "tokens_max": 40,
        "stop": (),
        "logprobs": False,
    }
    return Submit(id=number, conversation=asked(text), **{**defaults, **fields})
