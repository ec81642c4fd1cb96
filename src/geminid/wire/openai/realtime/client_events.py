"""The events that a client sends in a live session, and the request for a client secret: bytes to messages.

It knows no session. Source: openai-python 3.57.0, ``types/realtime``.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from geminid.wire.openai.reading import Message, Reader
from geminid.wire.openai.realtime.schema import AnySession, NewItem, ResponseOptions


class ClientEvent(Message):
    """Base of events. ``event_id`` is the client's, and comes back in errors."""

    event_id: Annotated[str, Meta(max_length=512)] | None = None


class SessionUpdate(ClientEvent, tag_field="type", tag="session.update", kw_only=True):
    """Change the session."""

    session: AnySession


class AudioAppend(ClientEvent, tag_field="type", tag="input_audio_buffer.append", kw_only=True):
    """More sound, as base64."""

    audio: str


class AudioCommit(ClientEvent, tag_field="type", tag="input_audio_buffer.commit"):
    """What was said is a turn."""


class AudioClear(ClientEvent, tag_field="type", tag="input_audio_buffer.clear"):
    """Forget what was said."""


class OutputClear(ClientEvent, tag_field="type", tag="output_audio_buffer.clear"):
    """Forget what was to be spoken; refused."""


class ItemCreate(ClientEvent, tag_field="type", tag="conversation.item.create", kw_only=True):
    """Put an item into the conversation, behind another, at the end, or (``root``) at the beginning."""

    item: NewItem
    previous_item_id: str | None = None


class ItemRetrieve(ClientEvent, tag_field="type", tag="conversation.item.retrieve", kw_only=True):
    """Show an item, with its sound."""

    item_id: str


class ItemDelete(ClientEvent, tag_field="type", tag="conversation.item.delete", kw_only=True):
    """Take an item out of the conversation."""

    item_id: str


class ItemTruncate(ClientEvent, tag_field="type", tag="conversation.item.truncate", kw_only=True):
    """Cut what was spoken to what was heard; refused."""

    item_id: str
    content_index: int
    audio_end_ms: int


class ResponseCreate(ClientEvent, tag_field="type", tag="response.create"):
    """Answer now."""

    response: ResponseOptions | None = None


class ResponseCancel(ClientEvent, tag_field="type", tag="response.cancel"):
    """End the answer that is being made."""

    response_id: str | None = None


AnyEvent = (
    SessionUpdate
    | AudioAppend
    | AudioCommit
    | AudioClear
    | OutputClear
    | ItemCreate
    | ItemRetrieve
    | ItemDelete
    | ItemTruncate
    | ResponseCreate
    | ResponseCancel
)


class ExpiresAfter(Message):
    """When a secret ends."""

    anchor: Literal["created_at"] = "created_at"
    seconds: Annotated[int, Meta(ge=10, le=7200)] = 600


class SecretRequest(Message):
    """The body by which a client secret is made."""

    expires_after: ExpiresAfter | None = None
    session: AnySession | None = None


_EVENTS: Reader[Any] = Reader(AnyEvent)  # type: ignore[arg-type]
_SECRETS = Reader(SecretRequest)
_IDS = msgspec.json.Decoder(dict[str, Any])


def read_event(text: str) -> AnyEvent:
    """Return what a client sends; raises :class:`~geminid.wire.openai.refused.Refused`."""
    event: AnyEvent = _EVENTS.read(text.encode(errors="replace"))
    return event


def event_id_of(text: str) -> str | None:
    """Return what a client calls an event that cannot be read, as far as that can be."""
    try:
        said = _IDS.decode(text).get("event_id")
    except (ValueError, RecursionError):
        return None
    return said if isinstance(said, str) and len(said) <= 512 else None


def read_secret_request(body: bytes) -> SecretRequest:
    """Return what is asked of a client secret; raises :class:`~geminid.wire.openai.refused.Refused`."""
    return _SECRETS.read(body or b"{}")
