"""An engine process without an engine: speaks the link's frames and misbehaves as it is told.

The last user message says what to do: a number produces that many tokens; ``die`` kills the process
before any token; ``die after N`` after N; ``hang`` stops without a word; ``refuse`` and ``too long``
refuse; ``found`` has found 2 tokens of the prompt before it says a word; ``garbage`` breaks the protocol. A
prefix that is kept makes up 4 tokens of each prompt that names it; one whose words are ``full`` does not fit,
one whose words are ``never`` is never computed. What it does with prefixes it writes to standard error. With ``ONCE`` set to a path, death and hangs happen only if
that file does not exist yet. The argument ``broken`` makes it fail to load.
"""

import contextlib
import os
import signal
import socket
import sys
import time
from pathlib import Path

from geminid.engines.openvino.messages import (
    Accepted,
    Cancel,
    Count,
    Counted,
    Delta,
    Drop,
    Found,
    Keep,
    Kept,
    Load,
    Ready,
    Refused,
    Stepped,
    Submit,
    decode_to_worker,
)
from geminid.process.frames import frame
from geminid.process.inbox import HungUp, Inbox

KEPT: set[str] = set()


def first_time() -> bool:
    marker = os.environ.get("ONCE")
    if marker is None:
        return True
    if Path(marker).exists():
        return False
    Path(marker).touch()
    return True


def misbehave(words: str) -> None:
    if words.startswith("die"):
        os.kill(os.getpid(), signal.SIGKILL)
    if words == "hang":
        time.sleep(1000)


def answer(link: socket.socket, submit: Submit) -> None:
    words = submit.conversation.messages[-1].content
    if words == "refuse":
        link.sendall(frame(Refused(id=submit.id, kind="invalid", message="I do not take this")))
        return
    if words == "too long":
        link.sendall(frame(Refused(id=submit.id, kind="too_long", tokens=9, tokens_max=5)))
        return
    if words == "garbage":
        link.sendall(b"\x00\x00\x00\x01\xc1")
        time.sleep(1000)
    cached = (4, {"image": 1}) if submit.prefix in KEPT else (0, {})
    link.sendall(frame(Accepted(submit.id, 7, {"image": 3}, *cached)))
    if words in ("die", "hang") and first_time():
        misbehave(words)
    if words == "no memory":
        link.sendall(frame(Stepped([Delta(submit.id, 0, "", 0, "failed")], 0, 1.0)))
        return
    if words == "never":
        return
    count = int(words.split()[-1]) if words[-1].isdigit() else 1
    found = {submit.id: Found(2)} if words == "found" else {}
    link.sendall(frame(Stepped([], 1, 0.5, {submit.id: 12}, found)))
    for number in range(count):
        link.sendall(frame(Stepped([Delta(submit.id, 0, f"{number} ", 1)], 1, 0.5)))
    if words.startswith("die after") and first_time():
        misbehave(words)
    link.sendall(frame(Stepped([Delta(submit.id, 0, "", 0, "stop")], 0, 0.0)))


def keep(link: socket.socket, keep: Keep) -> None:
    words = keep.conversations[0].messages[-1].content.split("\n")[0]
    print(f"keep {keep.prefix} {keep.urgency}", file=sys.stderr, flush=True)
    if words == "full":
        full = Refused(id=keep.id, kind="full", tokens=600, tokens_max=500, kept=40)
        link.sendall(frame(full))
    elif words != "never":
        if words == "die" and first_time():
            misbehave(words)
        KEPT.add(keep.prefix)
        link.sendall(frame(Kept(keep.id, 4, {"image": 1})))


def main() -> None:
    link = socket.socket(fileno=int(sys.argv[-1]))
    inbox = Inbox(link, decode_to_worker)
    (load,) = inbox.take(wait=True)
    assert isinstance(load, Load)
    if "broken" in sys.argv:
        sys.exit("the weights are broken")
    link.sendall(frame(Ready(load_ms=1, kv_tokens_max=1000, context_tokens_max=100, cached_tokens_max=500)))
    while True:
        for message in inbox.take(wait=True):
            match message:
                case Submit():
                    answer(link, message)
                case Count():
                    cached = 4 if message.prefix in KEPT else 0
                    link.sendall(frame(Counted(message.id, 42, {"audio": 2}, cached)))
                case Keep():
                    keep(link, message)
                case Drop():
                    KEPT.discard(message.prefix)
                    print(f"drop {message.prefix}", file=sys.stderr, flush=True)
                case Cancel():
                    print(f"cancelled {message.id}", file=sys.stderr, flush=True)


with contextlib.suppress(HungUp):
    main()
