"""A reader process that hears what the name of the file says: for tests of the pool."""

import os
import signal
import socket
import sys
import time
from pathlib import Path

from geminid.core.speech import Listening, Segment, Understood
from geminid.media.messages import Hear, Open, Probed, Refused, decode_to_reader
from geminid.process.inbox import HungUp, Inbox, Outbox


def answers(job):
    name = Path(job.path).name
    if not isinstance(job, Hear):
        yield Probed("text", str(os.getpid()))
        return
    if name.startswith("refuse"):
        yield Refused("It is no good.")
        return
    yield Listening(1_000)
    yield Segment(start_ms=0, end_ms=500, text=f" {os.getpid()}", tokens=(1,))
    if name.startswith("die"):
        os.kill(os.getpid(), signal.SIGSEGV)
    if name.startswith("hang"):
        time.sleep(600)
    if name.startswith("late"):
        yield Refused("It ends in noise.", spent=True)
        return
    if name.startswith("other"):
        yield Probed("audio", "audio/wav")
    yield Understood("en", job.mime_type)


def main():
    link = socket.socket(fileno=int(sys.argv[-1]))
    inbox, outbox = Inbox(link, decode_to_reader), Outbox(link)
    try:
        opened, *jobs = inbox.take(wait=True)
        assert isinstance(opened, Open)
        while True:
            for job in jobs:
                for answer in answers(job):
                    outbox.send(answer)
            jobs = inbox.take(wait=True)
    except (HungUp, BrokenPipeError, ConnectionResetError):
        pass


if __name__ == "__main__":
    main()
