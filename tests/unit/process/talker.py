"""A child process that does what its arguments say, one after the other: for tests of links."""

import os
import signal
import socket
import subprocess
import sys
import time

import msgspec

from geminid.process.inbox import HungUp, Inbox, Outbox


class Said(msgspec.Struct):
    text: str


def main() -> None:
    *orders, number = sys.argv[1:]
    link = socket.socket(fileno=int(number))
    inbox, outbox = Inbox(link, msgspec.msgpack.Decoder(Said).decode), Outbox(link)
    for order in orders:
        what, _, rest = order.partition(":")
        match what:
            case "echo":
                try:
                    while True:
                        for said in inbox.take(wait=True):
                            outbox.send(said)
                except HungUp:
                    return
            case "say":
                outbox.send(Said(rest))
            case "environ":
                outbox.send(Said(os.environ.get(rest, "-")))
            case "folder":
                outbox.send(Said(os.getcwd()))
            case "huge":
                link.sendall(b"\xff\xff\xff\xff" + bytes(100))
            case "garbage":
                link.sendall(b"\0\0\0\1\xc1")
            case "cry":
                sys.stderr.write(rest * int(orders[-1]) + "\n")
                sys.stderr.flush()
            case "child":
                child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
                outbox.send(Said(str(child.pid)))
            case "sleep":
                time.sleep(600)
            case "die":
                os.kill(os.getpid(), signal.Signals[rest])


if __name__ == "__main__":
    main()
