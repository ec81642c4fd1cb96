"""Hostile files against the real reader processes, and over HTTP against a real server.

Each ends in a reading or in a refusal of one plain sentence, in time and within memory; nothing is left behind
and nobody else notices. The files are those of ``tests/made/hostile*.py``.
"""

import asyncio
import base64
import contextlib
import logging
import os
import re
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import psutil
import pytest

from geminid.media.bounds import Bounds
from geminid.media.faults import Unreadable
from geminid.media.pool import PoolConfig, ReaderPool
from geminid.media.reading import Ask
from made.hostile import Hostile, mutated, tiny, torn
from made.hostile_documents import documents
from made.hostile_pdfs import pdfs
from made.hostile_pictures import pictures
from made.hostile_sounds import SECRET_FILE, sounds
from made.seeds import seeds
from made.sounds import tone, write_sound
from serving import serving

SEED = int(os.environ.get("HOSTILE_SEED", "20261122"))
ALL = os.environ.get("PROVE") == "all"
EACH = 60 if ALL else 6
FAMILIES: dict[str, Callable[[], Iterator[Hostile]]] = {
    "pictures": pictures,
    "sounds": sounds,
    "documents": documents,
    "pdfs": pdfs,
    "torn": torn,
    "tiny": tiny,
    "mutated": lambda: mutated(SEED, EACH),
}
DIRECTLY = tuple(FAMILIES) if ALL else ("sounds", "torn", "mutated")
"""What is read without a server, too: on a server without a speech model, no sound would be decoded."""
OVER_HTTP = tuple(FAMILIES) if ALL else ("pictures", "sounds", "documents", "pdfs", "tiny")
READER = (sys.executable, "-P", str(Path(__file__).with_name("deaf_reader.py")))
BOUNDS = Bounds(time_ms_max=8_000, memory_bytes_max=2 * 1024**3)
SLACK_S = 12
"""For a process to start, and for a machine that has other things to do."""
SENTENCE = re.compile(r"[A-Z].*[.…]|.* is not a valid .*", re.ASCII)
TELLTALES = re.compile(
    r"Traceback|\w+(Error|Exception)\b|<class|\bat 0x|errno|/tmp|/root|/home|site-packages|\.py\b", re.I
)
MARK = "geminid-was-here"
"""What those that start other programs would call their file."""


@pytest.fixture(scope="module")
def corpus() -> dict[str, list[Hostile]]:
    return {family: list(files()) for family, files in FAMILIES.items()}


def test_there_are_enough_files_each_with_a_name_of_its_own(corpus):
    names = [file.name for files in corpus.values() for file in files]
    assert len(set(names)) == len(names) > 500
    assert sum(file.must for files in corpus.values() for file in files) > 70


# -- against the processes -----------------------------------------------------------------------------


class Watch(threading.Thread):
    """The most memory that a child of a process has had."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self.rss_bytes = 0
        self._pid = pid
        self._over = threading.Event()

    def run(self) -> None:
        while not self._over.wait(0.05):
            with contextlib.suppress(psutil.Error):
                sizes = [child.memory_info().rss for child in psutil.Process(self._pid).children()]
                self.rss_bytes = max(self.rss_bytes, *sizes, 0)

    def __enter__(self) -> "Watch":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self.join()


class Trial:
    """Files on their way through a pool. ``faults`` says what went wrong, file by file."""

    def __init__(self, folder: Path, bounds: Bounds = BOUNDS) -> None:
        self.folder = folder
        self.faults: list[str] = []
        self.outcomes: dict[str, str] = {}
        self.rss_bytes = 0
        self._turns = asyncio.Semaphore(2)
        config = PoolConfig(bounds=bounds, processes=2, threads=1, folders=(folder,))
        self.pool = ReaderPool(config, command=READER)
        write_sound(folder / SECRET_FILE, tone(1.0))

    async def run(self, files: list[Hostile]) -> None:
        with Watch(os.getpid()) as watch:
            await asyncio.gather(*map(self._one, files))
        self.rss_bytes = max(self.rss_bytes, watch.rss_bytes)

    async def _one(self, file: Hostile) -> None:
        path = self.folder / f"{len(self.outcomes)}-{id(file)}"
        async with self._turns:
            path.write_bytes(file.body)
            began = time.monotonic()
            try:
                reading = await self.pool.read(path, Ask(mime_type=file.mime_type))
                said = self._read(file, reading.text)
            except Unreadable as refused:
                said = self._refused(file, refused.message)
            except Exception as error:
                said = f"raised {error!r}"
                self.faults.append(f"{file.name} {said}")
            took_s = time.monotonic() - began
            path.unlink()
        self.outcomes[file.name] = f"{took_s:.1f} s: {said}"
        if took_s > BOUNDS.time_ms_max / 1000 + SLACK_S:
            self.faults.append(f"{file.name} took {took_s:.1f} s")

    def _read(self, file: Hostile, text: str) -> str:
        if file.must:
            self.faults.append(f"{file.name} was read: {text[:100]!r}")
        if "root:x:0" in text or str(self.folder) in text:
            self.faults.append(f"{file.name} shows more than itself: {text[:300]!r}")
        return f"read, {len(text)} characters"

    def _refused(self, file: Hostile, message: str) -> str:
        if not plain(message) or str(self.folder) in message:
            self.faults.append(f"{file.name} is refused in odd words: {message!r}")
        return message


def plain(message: str) -> bool:
    """Whether a message is one sentence for people, without paths and words of programs."""
    return message.isprintable() and bool(SENTENCE.fullmatch(message)) and not TELLTALES.search(message)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("family", DIRECTLY)
async def test_each_file_costs_itself_only(family, corpus, tmp_path, caplog):
    caplog.set_level(logging.ERROR, "geminid")
    trial = Trial(tmp_path)
    before, processes = marked(), set(psutil.Process().children())
    try:
        await trial.run(corpus[family])
        for kind in ("html", "txt"):
            await trial.run([Hostile(f"whole-{kind}", *seeds()[kind])])
            assert trial.outcomes[f"whole-{kind}"].partition(": ")[2].startswith("read")
    finally:
        await trial.pool.close()
    print("\n".join(f"{name} {said}" for name, said in trial.outcomes.items()))
    assert not trial.faults, "\n".join(trial.faults)
    assert trial.rss_bytes < BOUNDS.memory_bytes_max
    assert [path.name for path in tmp_path.iterdir()] == [SECRET_FILE]
    assert marked() == before == set()
    assert set(psutil.Process().children()) <= processes


def marked() -> set[str]:
    """Files that only programs started by a hostile one would have made."""
    places = (Path.cwd(), Path("/"), Path("/tmp"), Path.home())
    return {str(path) for place in places for path in place.glob(f"*{MARK}*")}


async def test_every_kind_is_read_when_it_is_whole(tmp_path):
    """Otherwise the rest of this file would prove nothing."""
    trial = Trial(tmp_path, Bounds())
    try:
        await trial.run([Hostile(name, *seed) for name, seed in seeds().items()])
    finally:
        await trial.pool.close()
    refused = {name: said for name, said in trial.outcomes.items() if ": read" not in said}
    assert not refused


# -- over HTTP -----------------------------------------------------------------------------------------

UNARY = "/v1beta/models/gemini-3.1-flash-lite:generateContent"
FIELD = "contents[0].parts[1].inline_data"


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    folder = tmp_path_factory.mktemp("hostile")
    environ = {
        "GEMINID_SERVER_DATA": str(folder / "data"),
        "GEMINID_MEDIA_READ_MS_MAX": str(BOUNDS.time_ms_max),
        "GEMINID_MEDIA_MEMORY_GIB": "2",
        "GEMINID_MEDIA_THREADS": "1",
        "GEMINID_MEDIA_CACHE_BYTES_MAX": "0",
    }
    with serving(folder, "--model", "scripted", environ=environ) as started:
        started.data = folder / "data"
        yield started


def asked(file: Hostile) -> dict:
    data = base64.b64encode(file.body).decode()
    medium = {"inlineData": {"mimeType": file.mime_type, "data": data}}
    return {"contents": [{"role": "user", "parts": [{"text": "What is this?"}, medium]}]}


def fault(file: Hostile, reply: httpx.Response) -> str | None:
    """Return what is wrong with an answer."""
    if reply.status_code == 200:
        return f"{file.name} was read" if file.must else None
    error = reply.json().get("error", {})
    if (reply.status_code, error.get("code"), error.get("status")) != (400, 400, "INVALID_ARGUMENT"):
        return f"{file.name}: {reply.status_code} {reply.text[:300]}"
    fields = [
        each["field"] for detail in error.get("details", ()) for each in detail.get("fieldViolations", ())
    ]
    too_long = "exceeds the maximum number of tokens" in error["message"]
    if not too_long and not any(field.startswith(FIELD) for field in fields):
        return f"{file.name}: no field in {reply.text[:300]}"
    if TELLTALES.search(error["message"]) or len(reply.content) > 5_000:
        return f"{file.name}: odd words in {reply.text[:300]}"
    return None


@pytest.mark.timeout(400)
@pytest.mark.parametrize("family", OVER_HTTP)
def test_each_file_is_a_400_that_names_its_field_or_is_answered(family, corpus, server):
    def send(file: Hostile) -> str | None:
        return fault(file, server.post(UNARY, json=asked(file)))

    with ThreadPoolExecutor(4) as senders, Watch(server.process.pid) as watch:
        faults = [each for each in senders.map(send, corpus[family]) if each]
    assert not faults, "\n".join(faults)
    assert watch.rss_bytes < BOUNDS.memory_bytes_max


def test_the_server_has_come_through(server):
    """Runs behind those above."""
    reply = server.post(UNARY, json=asked(Hostile("whole", *seeds()["txt"])))
    assert reply.status_code == 200, reply.text
    log = server.log.read_text()
    own = [line for line in log.splitlines() if not re.search(r"\breader( process)? ", line)]
    assert " 500 " not in log
    assert not [line for line in own if "Traceback" in line]
    assert server.process.poll() is None
    left = [path for path in (server.data / "incoming").rglob("*") if path.is_file()]
    assert left == []
    assert marked() == set()


@pytest.mark.e2e
def test_the_engine_does_not_notice(real, corpus):
    quick = {
        "png-50000-zeros",
        "jpeg-65500",
        "png-that-is-pdf",
        "docx-overlapping",
        "docx-laughs",
        "tagged-concat",
    }
    quick |= {"pdf-100000-pages", "pdf-password", "mp4-endless-atom", "text-of-noise", "type-0", "type-1"}
    chosen = [file for files in corpus.values() for file in files if file.name in quick]
    before = real.engine()
    faults = [each for file in chosen if (each := fault(file, real.post(UNARY, json=asked(file))))]
    after = real.engine()
    assert len(chosen) == len(quick)
    assert not faults
    assert (after["pid"], after["restarts"]) == (before["pid"], before["restarts"])
