"""The real reader process under a parser that misbehaves: what it may not do, and what its file costs."""

import contextlib
import socket
import sys
import time
from pathlib import Path

import psutil
import pytest

from geminid.media.bounds import Bounds
from geminid.media.faults import Unreadable
from geminid.media.pool import PoolConfig, ReaderPool
from geminid.media.process import _sentence
from geminid.media.reading import Ask
from geminid.process.confine import grantable

COMMAND = (sys.executable, "-P", str(Path(__file__).with_name("odd_reader.py")))
ASK = Ask(mime_type="text/plain")
BROKEN, CRASHED = "it is broken, or of a form", "its parser crashed"
LONG, DEEP = "takes longer than it may", "nested too deeply"
LARGE = f"too much memory|{LONG}"
"""Who is out of memory may be unable to say so: then its time runs out."""


@contextlib.asynccontextmanager
async def pool(folder, **bounds):
    config = PoolConfig(bounds=Bounds(**bounds), processes=1, threads=1, folders=(folder,))
    made = ReaderPool(config, command=COMMAND)
    try:
        yield made
    finally:
        await made.close()


def ordered(folder: Path, order: str) -> Path:
    path = folder / "file"
    path.write_text(order)
    return path


@pytest.mark.parametrize(
    ("order", "words"),
    [
        ("raise", BROKEN),
        ("exit:3", CRASHED),
        ("crash", CRASHED),
        ("eat", LARGE),
        ("eat natively", LARGE),
        ("overflow", DEEP),
        ("spin", LONG),
        ("sleep natively", LONG),
        ("long:2000", r"has 2000 characters; at most 1000 are read"),
        ("pictures:3", "more than 256 MiB"),
    ],
)
async def test_a_parser_that_fails_costs_its_own_file_only(tmp_path, order, words):
    before = set(psutil.Process().children())
    # Who ends must not meet the time limit, however busy the machine is.
    time_ms_max = {LONG: 5_000, LARGE: 15_000}.get(words, 45_000)
    bounds = {"memory_bytes_max": 700 << 20, "characters_max": 1000, "time_ms_max": time_ms_max}
    async with pool(tmp_path, **bounds) as readers:
        began = time.monotonic()
        with pytest.raises(Unreadable, match=words) as refused:
            await readers.read(ordered(tmp_path, order), ASK)
        assert time.monotonic() - began < 60
        assert str(tmp_path) not in refused.value.message
        assert (await readers.read(ordered(tmp_path, "fine"), ASK)).text == "fine"
    assert set(psutil.Process().children()) <= before


async def test_half_a_character_is_no_reason_to_refuse_a_file(tmp_path):
    async with pool(tmp_path) as readers:
        assert (await readers.read(ordered(tmp_path, "half"), ASK)).text == "a?b"


async def test_what_a_parser_prints_goes_nowhere(tmp_path):
    async with pool(tmp_path) as readers:
        assert (await readers.read(ordered(tmp_path, "chatter"), ASK)).text == "fine"


async def test_a_parser_reads_its_file_and_writes_nothing(tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    secret = elsewhere / "secret"
    secret.write_text("secret")
    folder = tmp_path / "incoming"
    folder.mkdir()
    with socket.create_server(("127.0.0.1", 0)) as server:
        orders = {
            f"look:{secret}": "files",
            f"write:{folder / 'new'}": "always",
            f"write:{secret}": "always",
            f"call:{server.getsockname()[1]}": "network",
        }
        async with pool(folder) as readers:
            granted = grantable()
            for order, needs in orders.items():
                if needs == "always" or getattr(granted, needs):
                    with pytest.raises(Unreadable, match=BROKEN):
                        await readers.read(ordered(folder, order), ASK)
    assert secret.read_text() == "secret"
    assert not (folder / "new").exists() or not (folder / "new").stat().st_size


@pytest.mark.parametrize("message", ["two\nlines", "\x1b[2J", "x" * 9_000, "a\0b", "\u202e"])
def test_a_refusal_is_one_line_of_bounded_length(message):
    assert _sentence(message).isprintable()
    assert len(_sentence(message)) <= 501
