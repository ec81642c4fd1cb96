"""The reader process: one file at a time, read by whatever parser its bytes ask for.

Parsers are other people's and their input is hostile: the process bounds its own memory, gives up the
network, all writing and whatever it need not read (:mod:`geminid.process.confine`), and may be killed by the
server at any moment. Invariant: each job is answered by one frame, or a sound to be heard by its events or a
refusal that ends them; or the process ends.

Run as ``python -m geminid.media.process FD``, where FD is a connected stream socket.
"""

from __future__ import annotations

import contextlib
import logging
import os
import resource
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec

from geminid.core.errors import Problem
from geminid.media.cpu_time import within
from geminid.media.late_tools import LateOcr, LateSpeech
from geminid.media.messages import (
    Done,
    FromReader,
    Hear,
    Open,
    Probe,
    Read,
    Refused,
    ToReader,
    decode_to_reader,
)
from geminid.media.reading import Ask, Kind, Passage, Reading, Still
from geminid.media.sniff import sniff
from geminid.media.tools import Tools
from geminid.process.confine import confine
from geminid.process.inbox import HungUp, Inbox, Outbox
from geminid.process.lifeline import die_with_parent

OOM_SCORE = 800
"""When memory runs out, this process goes before the engines."""
OPEN_FILES_MAX = 256
CPU_MS_MAX: dict[Kind, int] = {"image": 120_000, "office": 300_000, "text": 60_000}
"""For kinds that are read in seconds: a file that takes more is made to."""
MESSAGE_CHARACTERS_MAX = 500
STILLS_BYTES_MAX = 256 * 1024 * 1024
"""All pictures of one file together."""
BROKEN = "The file cannot be read: it is broken, or of a form that is not supported."
TOO_LARGE = "The file takes too much memory to be read."
NO_MEMORY = ("bad_alloc", "failed to allocate", "annot allocate memory", "ut of memory")
"""How native libraries say it, who raise everything as one kind of error."""

ReadFile = Callable[[Path, Ask, "Open", Tools], Reading]

log = logging.getLogger("geminid.media")


def _read_image(source: Path, ask: Ask, opened: Open, tools: Tools) -> Reading:
    from geminid.media.picture import read_picture

    return read_picture(source, ask, opened.bounds, tools)


def _read_audio(source: Path, ask: Ask, opened: Open, tools: Tools) -> Reading:
    from geminid.media.sound import read_sound

    return read_sound(source, ask, opened.bounds, tools)


def _read_video(source: Path, ask: Ask, opened: Open, tools: Tools) -> Reading:
    from geminid.media.film import read_film

    return read_film(source, ask, opened.bounds, tools)


def _read_pdf(source: Path, ask: Ask, opened: Open, tools: Tools) -> Reading:
    from geminid.media.pdf import read_pdf

    return read_pdf(source, ask, opened.bounds, tools)


def _read_office(source: Path, ask: Ask, opened: Open, tools: Tools) -> Reading:
    from geminid.media.office import read_office

    return read_office(source, ask, opened.bounds, tools)


def _read_text(source: Path, ask: Ask, opened: Open, tools: Tools) -> Reading:
    from geminid.media.text import read_text

    return read_text(source, ask, opened.bounds, tools)


READERS: dict[Kind, ReadFile] = {
    "image": _read_image,
    "audio": _read_audio,
    "video": _read_video,
    "pdf": _read_pdf,
    "office": _read_office,
    "text": _read_text,
}
"""Each loads its parsers when it is first needed: most processes meet one or two kinds."""


def serve(link: socket.socket) -> None:
    """Answer jobs until the server hangs up, or until the process must not be used any more."""
    inbox, outbox = Inbox(link, decode_to_reader), Outbox(link)
    opened, *jobs = inbox.take(wait=True)
    if not isinstance(opened, Open):
        raise ValueError("the first message says how to read")
    _confine(opened)
    tools = _tools(opened)
    while True:
        for job in jobs:
            for answer in _answers(job, opened, tools):
                outbox.send(answer)
                if isinstance(answer, Refused) and answer.spent:
                    return
        jobs = inbox.take(wait=True)


def _tools(opened: Open) -> Tools:
    threads, speech = opened.threads, opened.speech
    return Tools(ocr=LateOcr(threads), speech=LateSpeech(Path(speech), threads) if speech else None)


def _answers(job: ToReader, opened: Open, tools: Tools) -> Iterator[FromReader]:
    """A parser may raise anything at all; what it meant is told to the log, not to the caller."""
    try:
        yield from _work(job, opened, tools)
    except Problem as problem:
        yield Refused(_sentence(problem.message))
    except MemoryError:
        yield Refused(TOO_LARGE, spent=True)
    except RecursionError:
        yield Refused("The file is nested too deeply.", spent=True)
    except Exception as error:
        log.exception("a parser failed")
        no_memory = any(words in str(error) for words in NO_MEMORY)
        yield Refused(TOO_LARGE if no_memory else BROKEN, spent=True)


def _work(job: ToReader, opened: Open, tools: Tools) -> Iterator[FromReader]:
    match job:
        case Read():
            kind = sniff(Path(job.path), job.ask.mime_type).kind
            with within(CPU_MS_MAX.get(kind, 0)):
                reading = _bounded(READERS[kind](Path(job.path), job.ask, opened, tools), opened)
            yield reading
        case Hear():
            from geminid.media.hearing import hear

            yield from hear(Path(job.path), job.mime_type, job.listen, opened.bounds, tools)
        case Probe():
            from geminid.media.probe import probe

            yield probe(Path(job.path), job.mime_type, opened.bounds)
        case Open():
            raise ValueError("a process is opened once")


def _sentence(message: str) -> str:
    """One line of bounded length: there may be words of the file or of its sender in it."""
    whole = "".join(letter if letter.isprintable() else " " for letter in message)
    return whole if len(whole) <= MESSAGE_CHARACTERS_MAX else f"{whole[:MESSAGE_CHARACTERS_MAX]}…"


def _bounded(reading: Reading, opened: Open) -> FromReader:
    characters, characters_max = len(reading.text), opened.bounds.characters_max
    if characters > characters_max:
        return Refused(
            f"What can be read of the file has {characters} characters; at most {characters_max} are read."
        )
    if sum(len(part.data) for part in reading.parts if isinstance(part, Still)) > STILLS_BYTES_MAX:
        return Refused(f"The pictures in the file have more than {STILLS_BYTES_MAX >> 20} MiB together.")
    return Done(msgspec.structs.replace(reading, parts=tuple(map(_sound_text, reading.parts))))


def _sound_text(part: Passage | Still) -> Passage | Still:
    """Halves of characters, which broken files have in them, cannot be sent on."""
    if isinstance(part, Still):
        return part
    return Passage(part.text.encode("utf-8", "replace").decode(), part.modality)


def _confine(opened: Open) -> None:
    """Bound what may be allocated, opened, written and reached from now on."""
    memory_bytes_max = opened.bounds.memory_bytes_max
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # crashes are expected here
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (OPEN_FILES_MAX, OPEN_FILES_MAX))
    if sys.platform == "linux":
        resource.setrlimit(resource.RLIMIT_DATA, (memory_bytes_max, memory_bytes_max))
    # The weights may be links to where they really lie, so each of them is named.
    weights = list(Path(opened.speech).iterdir()) if opened.speech else []
    confine([*map(Path, opened.folders or ()), *weights], reading=opened.folders is not None)


def main() -> None:
    """Entry point of the process."""
    logging.basicConfig(format="%(message)s", level=logging.INFO, stream=sys.stderr)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the server's to handle
    signal.signal(signal.SIGPROF, signal.SIG_DFL)
    die_with_parent(OOM_SCORE)
    link = socket.socket(fileno=int(sys.argv[1]))
    with link, contextlib.suppress(HungUp, BrokenPipeError, ConnectionResetError):
        serve(link)
    os._exit(0)  # the native threads need no farewell


if __name__ == "__main__":
    main()
