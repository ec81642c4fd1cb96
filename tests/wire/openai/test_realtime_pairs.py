"""Events of live sessions after OpenAI's public API reference, field by field: each file is one pair.

A file has ``reference``; ``send``, the events of a client in their order; and

- ``session``, how the session is told then, as far as the pair says;
- ``core``, what an engine is asked when the last of them asks for an answer, and ``told``, what the client is told
  when the engine gives ``events``;
- ``items``, how items are told; or ``error``, how the last event is refused.
"""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from geminid.core.events import Event, usage_of
from geminid.core.manner import Manner
from geminid.core.request import GenerateRequest
from geminid.core.usage import Usage
from geminid.wire.openai.realtime import client_events as schema
from geminid.wire.openai.realtime import events
from geminid.wire.openai.realtime.conversation import Bounds, Conversation, Waiting
from geminid.wire.openai.realtime.events import COMPLETED, ResponseWriter, Teller, cancelled, response_of
from geminid.wire.openai.realtime.items import decoded
from geminid.wire.openai.realtime.prompt import asked, calling_of, request_of
from geminid.wire.openai.realtime.session import Session, told, updated
from geminid.wire.openai.refused import Refused

PAIRS = Path(__file__).parent / "pairs" / "realtime"
DEFAULTS = msgspec.to_builtins(GenerateRequest(model="", turns=()))


def pairs(key: str) -> list[Any]:
    found = ((path.stem, json.loads(path.read_bytes())) for path in sorted(PAIRS.glob("*.json")))
    return [pytest.param(pair, id=name) for name, pair in found if key in pair]


class Live:
    """A session without a connection: what a client sends changes it, what it asks for is remembered."""

    def __init__(self, kind: str = "realtime") -> None:
        numbers = itertools.count(1)
        self.new_id = lambda what: f"{what}_{next(numbers)}"
        self.session = Session(id="sess_0", kind=kind, model="tiny", expires_s=1_741_573_552)
        self.conversation = Conversation(Bounds(), self.new_id)
        sounds = itertools.count(1)
        self.waiting = Waiting(self.session.format, None, lambda what: f"{what}_{next(sounds)}")
        self.wanted = self.request = None
        self.calls: list[Any] = []

    def take(self, said: dict[str, Any]) -> None:
        event = schema.read_event(json.dumps(said))
        match event:
            case schema.SessionUpdate():
                changed = updated(self.session, event.session)
                calling_of(changed.tools, changed.tool_choice, "session", required=False)
                self.session = changed
            case schema.ItemCreate():
                kept = self.conversation.read(event.item, self.session.format)
                self.conversation.put(kept, event.previous_item_id)
            case schema.ItemDelete():
                self.conversation.drop(event.item_id)
            case schema.ItemRetrieve():
                self.conversation.find(event.item_id)
            case schema.AudioAppend():
                list(self.waiting.append(decoded(event.audio, "audio")))
            case schema.AudioCommit():
                self.conversation.put(self.waiting.commit())
            case schema.ResponseCreate():
                self.wanted = asked(self.session, self.conversation, event.response)
                session = self.wanted.session
                calling = calling_of(session.tools, session.tool_choice, "response")
                manner = lambda name: Manner()  # noqa: E731
                self.request = request_of(self.wanted, self.wanted.items, calling, manner)

    def core(self) -> dict[str, Any]:
        said = msgspec.to_builtins(self.request)
        said = {name: value for name, value in said.items() if value != DEFAULTS[name]}
        return json.loads(json.dumps(said))

    def told(self, engine: list[Event], cancel: bool) -> list[dict[str, Any]]:
        wanted, teller = self.wanted, Teller(lambda kind: "event_0")
        conversation = "conv_0" if wanted.joins else None
        response = response_of("resp_0", conversation, wanted.session.tokens_max, wanted.metadata)
        put = self.conversation.put if wanted.joins else None
        writer = ResponseWriter(response, teller, self.new_id, put)
        texts, usage = [writer.begin()], Usage()
        for event in engine:
            usage += usage_of(event)
            texts += writer.write(event)
        ending = cancelled("client_cancelled") if cancel else writer.ending or COMPLETED
        texts += writer.end(ending, usage)
        return [json.loads(text) for text in texts]


def live(pair: dict[str, Any], *, but_last: bool = False) -> Live:
    session = Live(pair.get("kind", "realtime"))
    for said in pair["send"][:-1] if but_last else pair["send"]:
        session.take(said)
    return session


@pytest.mark.parametrize("pair", pairs("session"))
def test_a_session_is_told_as_the_reference_has_it(pair):
    said = json.loads(events.ENCODER.encode(told(live(pair).session)))
    if pair.get("whole"):
        assert said == pair["session"]
    assert {name: said[name] for name in pair["session"]} == pair["session"]


@pytest.mark.parametrize("pair", pairs("core"))
def test_an_answer_is_asked_for_as_the_reference_says(pair):
    assert live(pair).core() == pair["core"]


@pytest.mark.parametrize("pair", pairs("told"))
def test_an_answer_has_the_events_of_the_reference(pair):
    engine = msgspec.convert(pair["events"], list[Event])
    said = live(pair).told(engine, pair.get("cancel", False))
    assert all(event.pop("event_id") == "event_0" for event in said)
    assert said == pair["told"]


@pytest.mark.parametrize("pair", pairs("items"))
def test_items_are_told_as_the_reference_has_them(pair):
    kept = [each.whole() if pair.get("retrieved") else each.item for each in live(pair).conversation]
    assert json.loads(events.ENCODER.encode(kept)) == pair["items"]


@pytest.mark.parametrize("pair", pairs("error"))
def test_a_mistake_is_told_as_the_reference_has_it(pair):
    session = live(pair, but_last=True)
    before = session.session
    with pytest.raises(Refused) as caught:
        session.take(pair["send"][-1])
    assert session.session == before
    said = json.loads(Teller(lambda kind: "event_0").error(caught.value, "mine"))
    error = {"type": "invalid_request_error", "event_id": "mine", **pair["error"]}
    assert said == {"type": "error", "event_id": "event_0", "error": error}


def test_there_are_enough_pairs():
    assert len(list(PAIRS.glob("*.json"))) >= 40
