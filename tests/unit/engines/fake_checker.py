"""A checker process without a compiler: the grammar says what becomes of it.

``slow N`` says that it took N ms; ``slow step N`` the same of one step; ``bad`` is refused; ``die``
crashes; ``hang`` never answers; ``garbage`` breaks the protocol; ``wait N`` takes N ms and is good;
anything else is good. The argument ``broken`` makes it fail to start, ``retiring`` leave after one
check. Each grammar that arrives is appended as a line to the file named by ``SEEN``.
"""

import os
import signal
import socket
import sys
import time

from geminid.engines.openvino.checker_messages import (
    Check,
    Checked,
    Failed,
    Open,
    Opened,
    decode_to_checker,
)
from geminid.process.frames import frame


def answer(check: Check) -> Checked | Failed:
    match check.grammar.split():
        case ["slow", "step", ms]:
            return Checked(id=check.id, compile_ms=1, step_ms=float(ms))
        case ["slow", ms]:
            return Checked(id=check.id, compile_ms=float(ms), step_ms=0)
        case ["wait", ms]:
            time.sleep(float(ms) / 1000)
        case ["bad"]:
            return Failed(check.id, "not a grammar")
        case ["die"]:
            os.kill(os.getpid(), signal.SIGSEGV)
        case ["hang"]:
            time.sleep(1000)
    return Checked(id=check.id, compile_ms=1, step_ms=0, retiring="retiring" in sys.argv)


def main() -> None:
    if "broken" in sys.argv:
        sys.exit("no such tokenizer")
    link = socket.socket(fileno=int(sys.argv[-1]))
    stream = link.makefile("rb")
    while header := stream.read(4):
        match decode_to_checker(stream.read(int.from_bytes(header, "big"))):
            case Open():
                link.sendall(frame(Opened(1)))
            case Check() as check:
                with open(os.environ["SEEN"], "a") as seen:
                    seen.write(f"{check.grammar}\n")
                if check.grammar == "garbage":
                    link.sendall(b"\x00\x00\x00\x01\xc1")
                    time.sleep(1000)
                reply = answer(check)
                link.sendall(frame(reply))
                if isinstance(reply, Failed) or reply.retiring:
                    return


main()
