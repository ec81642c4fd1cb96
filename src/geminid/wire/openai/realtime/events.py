"""What a session tells its client: events as text, and the answer that becomes many of them.

Invariant: events of one answer come in the order of the reference, and every item that was begun is ended,
however the answer ends.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Literal

import msgspec

from geminid.core.content import Text, ToolCall
from geminid.core.errors import Problem
from geminid.core.events import Event, Finished, FinishReason, TextDelta, ToolCallMade
from geminid.core.usage import Usage
from geminid.wire.openai.answers import ENCODER
from geminid.wire.openai.errors import write_error_event
from geminid.wire.openai.realtime.items import Item, Kept, item_of_call, item_of_text
from geminid.wire.openai.realtime.session import bound_told
from geminid.wire.openai.replies import Reply

DOWNGRADED = "x-geminid-downgraded"
"""Where an event names what is served with less than was asked for: a session has no headers any more."""

NewId = Callable[[str], str]
Status = Literal["in_progress", "completed", "incomplete", "cancelled", "failed"]


class Response(Reply, kw_only=True):
    """An answer, as it is told."""

    object: Literal["realtime.response"] = "realtime.response"
    id: str
    status: Status = "in_progress"
    status_details: dict[str, Any] | None = None
    output: tuple[Item, ...] = ()
    conversation_id: str | None
    output_modalities: tuple[str, ...] = ("text",)
    max_output_tokens: int | str
    usage: dict[str, Any] | None = None
    metadata: dict[str, str] | None = None


class ClientSecret(Reply, kw_only=True):
    """A secret by which a session may be opened, as it is told once."""

    value: str
    expires_at: int
    session: dict[str, Any]


class Teller:
    """Writes events, each with an id of its own."""

    def __init__(self, new_id: NewId) -> None:
        self._new_id = new_id

    def event(self, kind: str, **fields: Any) -> str:
        """Return an event as it is sent."""
        said = {"type": kind, "event_id": self._new_id("event"), **fields}
        return ENCODER.encode(said).decode()

    def error(self, problem: Problem, event_id: str | None = None) -> str:
        """Return a problem; event_id: of the client's event that it is about."""
        return self.event("error", error={**error_of(problem), "event_id": event_id})


def error_of(problem: Problem) -> dict[str, Any]:
    """Return a problem's message, type, param and code."""
    found: dict[str, Any] = msgspec.json.decode(write_error_event(problem))["error"]
    return found


def usage_told(usage: Usage) -> dict[str, Any]:
    """Return counts of tokens; thoughts are among those of the answer."""
    seen = {kind: usage.media.get(kind, 0) for kind in ("audio", "image", "video", "document")}
    cached = {kind: usage.cached_media.get(kind, 0) for kind in ("audio", "image", "video", "document")}
    output = usage.candidates + usage.thoughts
    return {
        "total_tokens": usage.prompt + output,
        "input_tokens": usage.prompt,
        "output_tokens": output,
        "input_token_details": {
            **_by_kind(usage.prompt, seen),
            "cached_tokens": usage.cached,
            "cached_tokens_details": _by_kind(usage.cached, cached),
        },
        "output_token_details": {"text_tokens": output, "audio_tokens": 0},
    }


def _by_kind(total: int, media: dict[Any, int]) -> dict[str, int]:
    audio = media["audio"]
    images = sum(media.values()) - audio
    return {"text_tokens": total - audio - images, "audio_tokens": audio, "image_tokens": images}


class Ending(msgspec.Struct, frozen=True):
    """How an answer ended, and why."""

    status: Status
    details: dict[str, Any] | None = None


COMPLETED = Ending("completed", {"type": "completed"})


def cancelled(reason: str) -> Ending:
    """Return the ending of an answer that was taken back: ``client_cancelled`` or ``turn_detected``."""
    return Ending("cancelled", {"type": "cancelled", "reason": reason})


def failed(problem: Problem) -> Ending:
    """Return the ending of an answer that a problem ended."""
    error = error_of(problem)
    told = {name: error[name] for name in ("type", "code", "message")}
    return Ending("failed", {"type": "failed", "error": told})


def ending_of(event: Finished) -> Ending:
    """Return how an engine ended an answer."""
    match event.reason:
        case FinishReason.STOP:
            return COMPLETED
        case FinishReason.MAX_TOKENS:
            return Ending("incomplete", {"type": "incomplete", "reason": "max_output_tokens"})
        case FinishReason.MALFORMED_CALL:
            error = {"type": "server_error", "code": "malformed_function_call", "message": event.detail}
            return Ending("failed", {"type": "failed", "error": error})


class ResponseWriter:
    """Turns what an engine answers into events.

    put: puts an item into the conversation and returns the id of the one before it; None where the answer
    joins no conversation.
    """

    def __init__(
        self, response: Response, teller: Teller, new_id: NewId, put: Callable[[Kept], str | None] | None
    ) -> None:
        self.response = response
        self._teller = teller
        self._new_id = new_id
        self._put = put
        self._said: _Said | None = None
        self._previous: str | None = None
        self.ending: Ending | None = None

    def begin(self, **more: Any) -> str:
        """Return the event that says that there will be an answer."""
        return self._teller.event("response.created", response=self.response, **more)

    def write(self, event: Event) -> Iterator[str]:
        """Yield what an event of the engine tells."""
        match event:
            case TextDelta() if event.text:
                yield from self._text(event.text)
            case ToolCallMade():
                yield from self._close("completed")
                yield from self._call(event.call)
            case Finished():
                self.ending = ending_of(event)

    def end(self, ending: Ending, usage: Usage | None) -> Iterator[str]:
        """Yield what ends the answer."""
        yield from self._close("completed" if ending.status == "completed" else "incomplete")
        self.response.status = ending.status
        self.response.status_details = ending.details
        self.response.usage = usage_told(usage) if usage is not None else None
        yield self._teller.event("response.done", response=self.response)

    def _text(self, text: str) -> Iterator[str]:
        if self._said is None:
            item = item_of_text(self._new_id("item"), None, "in_progress")
            said = _Said(Kept(item, [Text("")]), len(self.response.output))
            yield from self._begin_item(said.kept, said.place)
            self._said = said
            yield self._tell_part("response.content_part.added", said, part={"type": "text", "text": ""})
        self._said.text += text
        yield self._tell_part("response.output_text.delta", self._said, delta=text)

    def _close(self, status: Literal["completed", "incomplete"]) -> Iterator[str]:
        """End the message that is being written, if there is one."""
        said, self._said = self._said, None
        if said is None:
            return
        yield self._tell_part("response.output_text.done", said, text=said.text)
        yield self._tell_part("response.content_part.done", said, part={"type": "text", "text": said.text})
        told = item_of_text(said.kept.item.id, said.text, status)
        said.kept.item.content, said.kept.item.status = told.content, status
        said.kept.parts = [Text(said.text)]
        yield from self._end_item(said.kept, said.place)

    def _call(self, call: ToolCall) -> Iterator[str]:
        arguments = ENCODER.encode(call.args).decode()
        call = msgspec.structs.replace(call, id=f"call_{call.id}" if call.id else self._new_id("call"))
        item_id, place = self._new_id("item"), len(self.response.output)
        kept = Kept(item_of_call(call, item_id, "", "in_progress"), [call])
        yield from self._begin_item(kept, place)
        about = {"item_id": item_id, "output_index": place, "call_id": call.id}
        yield self._tell("response.function_call_arguments.delta", **about, delta=arguments)
        yield self._tell(
            "response.function_call_arguments.done", **about, name=call.name, arguments=arguments
        )
        kept.item.arguments, kept.item.status = arguments, "completed"
        yield from self._end_item(kept, place)

    def _begin_item(self, kept: Kept, place: int) -> Iterator[str]:
        if self._put is not None:
            self._previous = self._put(kept)
        self.response.output = (*self.response.output, kept.item)
        yield self._tell("response.output_item.added", output_index=place, item=kept.item)
        if self._put is not None:
            yield self._teller.event(
                "conversation.item.added", previous_item_id=self._previous, item=kept.item
            )

    def _end_item(self, kept: Kept, place: int) -> Iterator[str]:
        if self._put is not None:
            yield self._teller.event(
                "conversation.item.done", previous_item_id=self._previous, item=kept.item
            )
        yield self._tell("response.output_item.done", output_index=place, item=kept.item)

    def _tell_part(self, kind: str, said: _Said, **fields: Any) -> str:
        return self._tell(kind, item_id=said.kept.item.id, output_index=said.place, content_index=0, **fields)

    def _tell(self, kind: str, **fields: Any) -> str:
        return self._teller.event(kind, response_id=self.response.id, **fields)


class _Said:
    """The message that is being written."""

    def __init__(self, kept: Kept, place: int) -> None:
        self.kept = kept
        self.place = place
        self.text = ""


def response_of(
    response_id: str, conversation_id: str | None, tokens_max: int | None, metadata: dict[str, str] | None
) -> Response:
    """Return an answer that has not begun."""
    return Response(
        id=response_id,
        conversation_id=conversation_id,
        max_output_tokens=bound_told(tokens_max),
        metadata=metadata,
    )


def limits_told(requests: int | None, tokens: int | None) -> list[dict[str, Any]]:
    """Return the limits of a minute, as far as there are any."""
    known = (("requests", requests), ("tokens", tokens))
    return [{"name": name, "limit": limit} for name, limit in known if limit is not None]
