"""A process that embeds without a model: speaks the link's frames and misbehaves as it is told.

Each text gives a vector of four numbers that begins with its length. A first text ``die`` kills the process,
``hang`` stops it without a word, ``fail`` cannot be read, ``garbage`` breaks the protocol, ``never`` is not
answered. With ``ONCE`` set to a path, death and hangs happen only if that file does not exist yet. The argument
``broken`` makes it fail to load, ``wide`` have more dimensions than its card says. Each message is appended as
a line to the file named by ``SEEN``, if there is one.
"""

import contextlib
import os
import signal
import socket
import struct
import sys
import time
from pathlib import Path

from geminid.engines.openvino.embed_messages import (
    Alive,
    Cancel,
    Count,
    Counted,
    Embed,
    Embedded,
    Failed,
    Load,
    Ready,
    Vector,
    decode_to_embedder,
)
from geminid.process.frames import frame
from geminid.process.inbox import HungUp, Inbox


def first_time() -> bool:
    marker = os.environ.get("ONCE")
    if marker is None:
        return True
    if Path(marker).exists():
        return False
    Path(marker).touch()
    return True


def vector(text: str, dimensions: int) -> Vector:
    return Vector(struct.pack("<4f", len(text), 0, 0, 0)[: 4 * (dimensions or 4)], len(text), "cut" in text)


def answer(link: socket.socket, embed: Embed) -> None:
    word = embed.texts[0]
    if word in ("die", "hang") and first_time():
        if word == "hang":
            time.sleep(1000)
        os.kill(os.getpid(), signal.SIGKILL)
    if word == "garbage":
        link.sendall(b"\x00\x00\x00\x01\xc1")
        time.sleep(1000)
    if word == "never":
        return
    if word == "fail":
        link.sendall(frame(Failed(embed.id, "no such letter")))
        return
    link.sendall(frame(Alive()))
    vectors = tuple(map(vector, embed.texts, embed.dimensions))
    link.sendall(frame(Embedded(embed.id, vectors)))


def note(message: object) -> None:
    if path := os.environ.get("SEEN"):
        with open(path, "a") as seen:
            seen.write(f"{type(message).__name__} {getattr(message, 'urgency', '')}\n")


def main() -> None:
    if "broken" in sys.argv:
        sys.exit("no such weights")
    link = socket.socket(fileno=int(sys.argv[-1]))
    inbox = Inbox(link, decode_to_embedder)
    while True:
        for message in inbox.take(wait=True):
            note(message)
            match message:
                case Load():
                    link.sendall(frame(Ready(1, 5 if "wide" in sys.argv else 4)))
                case Embed():
                    answer(link, message)
                case Count():
                    link.sendall(frame(Counted(message.id, sum(map(len, message.texts)))))
                case Cancel():
                    pass


with contextlib.suppress(HungUp, BrokenPipeError, ConnectionResetError):
    main()
