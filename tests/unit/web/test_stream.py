"""Streams at the level of ASGI messages: what a client library cannot see."""

import asyncio
import json
from contextlib import asynccontextmanager

import pytest

import make
from geminid.catalog.served import Served
from geminid.core.errors import Unavailable
from geminid.engines.scripted import Rule, ScriptedEngine
from geminid.service.generate import Generator
from geminid.web.stream import ClientGone, Streaming, send_stream, while_listening
from geminid.wire.gemini.errors import write_error_event
from geminid.wire.gemini.generate import ChunkWriter
from geminid.wire.sse import ArrayFraming, SseFraming
from unit_fakes import NoMedia

CARD = make.card("tiny", engine="scripted")
RULES = [
    Rule(match="^break", text="a b c", fail="UNAVAILABLE", fail_after_tokens=2),
    Rule(match="^fail", fail="UNAVAILABLE"),
    Rule(match="^slow", text="x ", repeat=100, token_ms=20),
]


class Client:
    """Both ends of one ASGI exchange; hangs up when ``leave`` is set."""

    def __init__(self, slow_s=0.0):
        self.sent, self.leave, self._slow_s = [], asyncio.Event(), slow_s

    async def receive(self):
        await self.leave.wait()
        return {"type": "http.disconnect"}

    async def send(self, message):
        self.sent.append(message)
        await asyncio.sleep(self._slow_s)

    @property
    def body(self):
        return b"".join(message.get("body", b"") for message in self.sent)

    @property
    def complete(self):
        return self.sent[-1].get("more_body", False) is False


def streaming(framing=None):
    return Streaming(
        framing or SseFraming(),
        lambda g: ChunkWriter(g.card.name, g.id).write,
        write_error_event,
        lambda generation: (("x-tier", "s"),),
    )


async def stream(text, client, framing=None):
    engine = ScriptedEngine(RULES)
    generator = Generator(Served((CARD,)), {"scripted": engine}, lambda record: None, resolver=NoMedia())
    await send_stream(generator.generate(make.request(text)), streaming(framing), client.receive, client.send)
    return engine


async def test_headers_go_out_before_the_first_token_and_the_body_is_closed():
    client = Client()
    await stream("hello", client)
    assert client.sent[0]["status"] == 200
    assert (b"x-tier", b"s") in client.sent[0]["headers"]
    assert client.complete


async def test_a_failure_before_the_first_byte_is_raised_so_that_it_gets_its_status():
    client = Client()
    with pytest.raises(Unavailable):
        await stream("fail", client)
    assert client.sent == []


@pytest.mark.parametrize("framing", [SseFraming, ArrayFraming])
async def test_a_failure_in_the_middle_is_the_last_event_and_the_body_is_closed(framing):
    client = Client()
    await stream("break", client, framing())
    last = client.body.decode().rstrip("]\r\n").split("\r\n")[-1].removeprefix("data: ")
    assert json.loads(last)["error"]["code"] == 503
    assert client.complete


async def test_a_bug_in_the_middle_is_an_error_event_too():
    @asynccontextmanager
    async def opened():
        class Broken:
            id, card = "1", CARD

            @property
            async def events(self):
                raise ZeroDivisionError
                yield

        yield Broken()

    client = Client()
    await send_stream(opened(), streaming(), client.receive, client.send)
    assert b'"code":500' in client.body
    assert client.complete


async def test_a_client_that_hangs_up_frees_the_engine_at_once():
    client, engine = Client(), ScriptedEngine(RULES)
    generator = Generator(Served((CARD,)), {"scripted": engine}, lambda record: None, resolver=NoMedia())
    opened = generator.generate(make.request("slow"))
    task = asyncio.create_task(send_stream(opened, streaming(), client.receive, client.send))
    while not client.body:
        await asyncio.sleep(0.01)
    assert engine.states()[0].producing == 1
    client.leave.set()
    with pytest.raises(ClientGone):
        await task
    assert engine.states()[0].producing == 0


async def test_a_slow_reader_gets_the_whole_answer():
    client = Client(slow_s=0.001)
    await stream("word " * 90, client)
    texts = [
        json.loads(line.removeprefix("data: "))["candidates"][0]["content"]["parts"][0]["text"]
        for line in client.body.decode().split("\r\n")
        if line
    ]
    assert "".join(texts) == "word " * 90


async def test_work_is_cancelled_with_whoever_waits_for_it():
    cancelled = asyncio.Event()

    async def work():
        try:
            await asyncio.sleep(100)
        finally:
            cancelled.set()

    waiting = asyncio.create_task(while_listening(Client().receive, work()))
    await asyncio.sleep(0.01)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert cancelled.is_set()
