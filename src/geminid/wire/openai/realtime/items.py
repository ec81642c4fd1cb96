"""Items of a conversation: from the wire to core's turns, and as they are told.

It knows no order of items. Invariant: an item is taken whole or refused.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator
from typing import Any, Literal, NamedTuple

import msgspec
from msgspec import UNSET

from geminid.core.content import Blob, FileRef, Part, Text, ToolCall, ToolResult, Turn
from geminid.wire.openai import refused
from geminid.wire.openai.messages import read_arguments, read_response
from geminid.wire.openai.parts import read_picture
from geminid.wire.openai.realtime.schema import (
    CallItem,
    Format,
    InputAudio,
    InputImage,
    InputText,
    MessageItem,
    NewItem,
    OutputAudio,
    OutputItem,
    OutputText,
)
from geminid.wire.openai.realtime.sound import in_file
from geminid.wire.openai.refused import Refused
from geminid.wire.openai.replies import Reply, Unsaid

SOUND_BYTES_MAX = 15 * 1024 * 1024
"""What one event may bring of sound."""
WAV = "audio/wav"
BAD_SOUND = "Invalid '{}': expected base64 of sound in the session's format."

Status = Literal["completed", "incomplete", "in_progress"]

_ALLOWED: dict[str, tuple[type, ...]] = {
    "system": (InputText,),
    "user": (InputText, InputAudio, InputImage),
    "assistant": (OutputText, OutputAudio),
}
_TAGS: dict[str, tuple[str, ...]] = {
    "system": ("input_text",),
    "user": ("input_text", "input_audio", "input_image"),
    "assistant": ("output_text", "output_audio"),
}


class Content(Reply, kw_only=True):
    """A part of a message, as it is told; its sound only where that was asked for."""

    type: str
    text: str | Unsaid = UNSET
    transcript: str | Unsaid | None = UNSET
    audio: str | Unsaid = UNSET
    image_url: str | Unsaid = UNSET
    detail: str | Unsaid = UNSET


class Item(Reply, kw_only=True):
    """An item, as it is told."""

    id: str
    object: Literal["realtime.item"] = "realtime.item"
    type: str
    status: Status = "completed"
    role: str | Unsaid = UNSET
    content: list[Content] | Unsaid = UNSET
    name: str | Unsaid = UNSET
    call_id: str | Unsaid = UNSET
    arguments: str | Unsaid = UNSET
    output: str | Unsaid = UNSET


class Sound(NamedTuple):
    """What was said, and its form."""

    data: bytes
    format: Format


class Kept(msgspec.Struct):
    """An item in a conversation. parts: what the model is given for it, sounds in the place of Nones;
    sounds: by the place of their part."""

    item: Item
    parts: list[Part | None] = []
    sounds: dict[int, Sound] = {}

    @property
    def size_bytes(self) -> int:
        """Return what the item takes of memory, about."""
        texts = sum(len(part.text) for part in self.parts if isinstance(part, Text))
        blobs = sum(len(part.data) for part in self.parts if isinstance(part, Blob))
        return texts + blobs + sum(len(sound.data) for sound in self.sounds.values())

    def whole(self) -> Item:
        """Return the item with its sound."""
        if not self.sounds or not isinstance(self.item.content, list):
            return self.item
        content = [
            msgspec.structs.replace(each, audio=base64.b64encode(self.sounds[place].data).decode())
            if place in self.sounds
            else each
            for place, each in enumerate(self.item.content)
        ]
        return msgspec.structs.replace(self.item, content=content)

    def heard(self, place: int, transcript: str) -> None:
        """Note what was said in a sound: words stand for it from now on, silence for itself."""
        assert isinstance(self.item.content, list)
        self.item.content[place].transcript = transcript
        if transcript:
            self.parts[place] = Text(transcript, "audio")


def read_item(
    said: NewItem, item_id: str, new_call_id: str, calls: Iterable[ToolCall], form: Format, path: str
) -> Kept:
    """Return an item as it is kept; raises :class:`Refused`.

    calls: those before it, one of which an output must answer. form: of sound.
    """
    match said:
        case MessageItem():
            return _message(said, item_id, form, path)
        case CallItem():
            args = read_arguments(said.arguments, f"{path}.arguments")
            call = ToolCall(said.name, args, said.call_id or new_call_id)
            return Kept(item_of_call(call, item_id, said.arguments), [call])
        case OutputItem():
            return _output(said, item_id, calls, path)


def item_of_call(call: ToolCall, item_id: str, arguments: str, status: Status = "completed") -> Item:
    """Return the item of a call."""
    return Item(
        id=item_id, type="function_call", status=status, name=call.name, call_id=call.id, arguments=arguments
    )


def item_of_text(item_id: str, text: str | None, status: Status) -> Item:
    """Return the item of what the model says; None: it has not begun."""
    content = [] if text is None else [Content(type="output_text", text=text)]
    return Item(id=item_id, type="message", status=status, role="assistant", content=content)


def item_of_sound(item_id: str, sound: Sound) -> Kept:
    """Return the item of what a user has said."""
    content = [Content(type="input_audio", transcript=None)]
    return Kept(Item(id=item_id, type="message", role="user", content=content), [None], {0: sound})


def turns_of(kept: Iterable[Kept]) -> tuple[tuple[Text, ...], tuple[Turn, ...]]:
    """Return what the system says and the turns of a conversation.

    What the model says and calls one after the other is one turn, and so are the results of its calls.
    """
    system: list[Text] = []
    turns: list[Turn] = []
    last = ""
    for each in kept:
        parts = tuple(_parts(each))
        speaker = _speaker(each.item)
        if speaker == "system":
            system += [part for part in parts if isinstance(part, Text)]
            continue
        role: Literal["user", "model"] = "model" if speaker == "model" else "user"
        if speaker == last and speaker != "user":
            turns[-1] = Turn(role, (*turns[-1].parts, *parts))
        else:
            turns.append(Turn(role, parts))
        last = speaker
    return tuple(system), tuple(turns)


def decoded(text: str, path: str) -> bytes:
    """Return sound that is sent as base64; raises :class:`Refused`."""
    try:
        data = base64.b64decode(text, validate=True)
    except ValueError:
        raise Refused(BAD_SOUND.format(path), path, refused.INVALID_VALUE) from None
    if len(data) > SOUND_BYTES_MAX:
        raise Refused(
            f"Invalid '{path}': {len(data)} bytes of sound; at most {SOUND_BYTES_MAX} may come at once.",
            path,
            refused.INVALID_VALUE,
        )
    return data


def _parts(kept: Kept) -> Iterator[Part]:
    for place, part in enumerate(kept.parts):
        if part is not None:
            yield part
        else:
            sound = kept.sounds[place]
            yield Blob(WAV, in_file(sound.data, sound.format), field=f"{kept.item.id}.content[{place}].audio")


def _speaker(item: Item) -> str:
    if item.type == "message":
        return {"system": "system", "assistant": "model"}.get(str(item.role), "user")
    return "model" if item.type == "function_call" else "results"


def _message(said: MessageItem, item_id: str, form: Format, path: str) -> Kept:
    kept = Kept(Item(id=item_id, type="message", role=said.role, content=[]), [], {})
    assert isinstance(kept.item.content, list)
    for place, part in enumerate(said.content):
        where = f"{path}.content[{place}]"
        if not isinstance(part, _ALLOWED[said.role]):
            tag = type(part).__struct_config__.tag
            raise refused.wrong_value(f"{where}.type", tag, _TAGS[said.role])
        kept.item.content.append(_told(part))
        kept.parts.append(_part(part, where))
        if isinstance(part, InputAudio):
            kept.sounds[place] = Sound(decoded(part.audio, f"{where}.audio"), form)
    return kept


def _part(part: Any, path: str) -> Text | Blob | FileRef | None:
    match part:
        case InputText() | OutputText():
            return Text(part.text)
        case OutputAudio():
            return Text(part.transcript or "")
        case InputImage():
            return read_picture(part.image_url, part.detail, f"{path}.image_url")
    return None


def _told(part: Any) -> Content:
    match part:
        case InputText():
            return Content(type="input_text", text=part.text)
        case OutputText():
            return Content(type="output_text", text=part.text)
        case OutputAudio():
            return Content(type="output_audio", transcript=part.transcript)
        case InputAudio():
            return Content(type="input_audio", transcript=part.transcript)
    return Content(type="input_image", image_url=part.image_url, detail=part.detail or "auto")


def _output(said: OutputItem, item_id: str, calls: Iterable[ToolCall], path: str) -> Kept:
    call = next((each for each in calls if each.id == said.call_id), None)
    if call is None:
        raise Refused(
            f"Tool call ID '{said.call_id}' not found in conversation.",
            f"{path}.call_id",
            "invalid_tool_call_id",
        )
    item = Item(id=item_id, type="function_call_output", call_id=said.call_id, output=said.output)
    return Kept(item, [ToolResult(call.name, read_response(said.output), call.id)])
