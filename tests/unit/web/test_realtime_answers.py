"""Answers of live sessions without a server: prompts that do not fit, turns still being heard, clients that go."""

import asyncio
import itertools
import json
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from starlette.websockets import WebSocketDisconnect

from geminid.core.caller import ANYBODY, Caller, Scopes
from geminid.core.content import Text
from geminid.core.errors import InputTooLong, PermissionDenied
from geminid.core.events import Finished, FinishReason, Started, TextDelta
from geminid.core.usage import Usage
from geminid.service.generate import Generation
from geminid.web.openai.realtime_answers import Answers
from geminid.web.openai.realtime_line import Line, Means
from geminid.wire.openai.realtime.conversation import Bounds, Conversation
from geminid.wire.openai.realtime.events import Teller
from geminid.wire.openai.realtime.items import Kept, item_of_text
from geminid.wire.openai.realtime.schema import ResponseOptions
from geminid.wire.openai.realtime.session import Session
from geminid.wire.openai.refused import Refused

SESSION = Session(id="s", kind="realtime", model="tiny")


class Socket:
    """Takes what is sent, until the client has gone."""

    def __init__(self):
        self.sent, self.gone = [], False

    async def send_text(self, text):
        if self.gone:
            raise WebSocketDisconnect(1006)
        self.sent.append(json.loads(text))


class Model:
    """Answers with the number of turns, if they are not too many; ``left`` counts answers that were left."""

    def __init__(self, turns_max=100, endless=False):
        self.turns_max, self.endless = turns_max, endless
        self.asked, self.left = [], 0

    @asynccontextmanager
    async def generate(self, request, caller, *, deadline_ms):
        self.asked.append(request)
        if len(request.turns) > self.turns_max:
            raise InputTooLong(10 * len(request.turns), 10 * self.turns_max)
        try:
            yield Generation("id", None, self.events(len(request.turns)))
        finally:
            self.left += 1

    async def events(self, turns):
        yield Started(Usage(prompt=turns))
        while True:
            yield TextDelta(f"{turns}", 1)
            if not self.endless:
                break
            await asyncio.sleep(0.001)
        yield Finished(FinishReason.STOP)


class Heard:
    """Turns that are written down once the test says so."""

    def __init__(self):
        self.done = asyncio.Event()

    async def wait(self):
        await self.done.wait()


class Home:
    def __init__(self, model, caller=ANYBODY, heard=True):
        numbers = itertools.count(1)
        new_id = lambda kind: f"{kind}_{next(numbers)}"  # noqa: E731
        means = Means(model, None, Path("/x"), Bounds(), lambda: 0.0, new_id, lambda: "n", 1_000, 1.0, 1.0)
        self.socket, self.hearings = Socket(), Heard()
        if heard:
            self.hearings.done.set()
        self.conversation = Conversation(Bounds(), new_id)
        line = Line(self.socket, Teller(new_id))
        self.answers = Answers(line, self.conversation, self.hearings, caller, means)

    def say(self, *texts):
        for text in texts:
            kept = Kept(item_of_text(f"u{text}", text, "completed"), [Text(text)])
            kept.item.role = "user"
            self.conversation.put(kept)

    async def answered(self, session=SESSION):
        await self.answers.begin(session, None)
        return await self.until_done()

    async def until_done(self):
        async with asyncio.timeout(20):
            while self.answers:
                await asyncio.sleep(0.001)
            await asyncio.sleep(0)
        return self.socket.sent[-1]["response"]


async def test_what_is_too_long_loses_its_oldest_items_until_it_fits():
    home = Home(model := Model(turns_max=4))
    home.say(*map(str, range(20)))
    response = await home.answered()
    assert response["status"] == "completed"
    assert int(response["output"][0]["content"][0]["text"]) <= 4
    assert model.asked[-1].turns[-1].parts == (Text("19"),)
    assert len(home.conversation) == 21


async def test_what_must_not_be_shortened_fails():
    home = Home(Model(turns_max=4))
    home.say(*map(str, range(20)))
    response = await home.answered(Session(id="s", kind="realtime", model="tiny", truncation="disabled"))
    assert response["status"] == "failed"
    assert response["status_details"]["error"]["code"] == "context_length_exceeded"


async def test_an_answer_waits_for_what_is_still_being_written_down():
    home = Home(model := Model(), heard=False)
    home.say("a")
    await home.answers.begin(SESSION, None)
    await asyncio.sleep(0.02)
    assert model.asked == []
    home.hearings.done.set()
    assert (await home.until_done())["status"] == "completed"


async def test_whoever_has_gone_is_left_to_whoever_reads():
    home = Home(model := Model(endless=True))
    home.say("a")
    await home.answers.begin(SESSION, None)
    while len(home.socket.sent) < 8:
        await asyncio.sleep(0.001)
    home.socket.gone = True
    await asyncio.sleep(0.02)
    assert model.left == 0
    await home.answers.end()
    assert model.left == 1


async def test_one_that_was_taken_back_makes_room_for_the_next_at_once():
    home = Home(model := Model(endless=True))
    home.say("a")
    await home.answers.begin(SESSION, None)
    with pytest.raises(Refused, match="active response in progress"):
        await home.answers.begin(SESSION, None)
    with pytest.raises(Refused, match="no active response"):
        home.answers.cancel("another")
    home.answers.cancel(None)
    await home.answers.begin(SESSION, ResponseOptions(metadata={"n": "2"}))
    done = [event for event in home.socket.sent if event["type"] == "response.done"]
    assert [event["response"]["status"] for event in done] == ["cancelled"]
    home.answers.interrupt()
    assert (await home.until_done())["status_details"]["reason"] == "turn_detected"
    assert model.left == len(model.asked)


async def test_a_key_must_be_good_for_the_model():
    home = Home(model := Model(), Caller(scopes=Scopes(models=("other",))))
    home.say("a")
    with pytest.raises(PermissionDenied):
        await home.answers.begin(SESSION, None)
    assert (model.asked, home.socket.sent) == ([], [])
