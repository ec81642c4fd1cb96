"""A reader process that does what the name of the file says: for tests of the pool."""

import os
import signal
import socket
import sys
import time
from pathlib import Path

from geminid.media.messages import Done, Open, Probe, Probed, Refused, decode_to_reader
from geminid.media.reading import Passage, Reading
from geminid.process.inbox import HungUp, Inbox, Outbox


def answer(job):
    name = Path(job.path).name
    if name.startswith("die"):
        os.kill(os.getpid(), signal.SIGSEGV)
    if name.startswith("hang"):
        time.sleep(600)
    if name.startswith("refuse"):
        return Refused("It is no good.")
    if name.startswith("spent"):
        return Refused("It is too much.", spent=True)
    if name.startswith("over"):
        os.kill(os.getpid(), signal.SIGPROF)
    if isinstance(job, Probe) or name.startswith("other"):
        return Probed("video", "video/mp4", 1500)
    if name.startswith("environ"):
        return said(" ".join(sorted(os.environ)))
    text = f"{os.getpid()} {job.ask.mime_type} {Path(job.path).read_text()}"
    return said(text)


def said(text):
    return Done(Reading(kind="text", mime_type="text/plain", parts=(Passage(text, "document"),)))


def main():
    link = socket.socket(fileno=int(sys.argv[-1]))
    inbox, outbox = Inbox(link, decode_to_reader), Outbox(link)
    try:
        opened, *jobs = inbox.take(wait=True)
        assert isinstance(opened, Open)
        while True:
            for job in jobs:
                outbox.send(answer(job))
                if "twice" in job.path:
                    outbox.send(said("of somebody else"))
            jobs = inbox.take(wait=True)
    except (HungUp, BrokenPipeError, ConnectionResetError):
        pass


if __name__ == "__main__":
    main()
