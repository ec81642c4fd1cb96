"""Contents of the wire to turns of a conversation.

It knows no settings and no declared functions. Invariant: every part of the request is either in the
turns, in the same order, or complained about.
"""

from __future__ import annotations

from operator import attrgetter

from geminid.core.content import Part as CorePart
from geminid.core.content import Role, Text, Thought, Turn
from geminid.wire.gemini.complaints import Complaints
from geminid.wire.gemini.content import Content, Part
from geminid.wire.gemini.functions import read_call, read_result
from geminid.wire.gemini.media import MediaReader
from geminid.wire.gemini.reading import Reading
from geminid.wire.gemini.refusals import refused_in_part
from geminid.wire.gemini.turnrules import check_turns

_ROLES: dict[str | None, Role] = {None: "user", "": "user", "user": "user", "model": "model"}
_FUNCTION_ROLES = ("function", "tool")

_media_of = attrgetter("inline_data", "file_data", "video_metadata", "media_resolution")
_NO_MEDIA = (None,) * 4


def read_turns(
    contents: list[Content] | None, reading: Reading, media: MediaReader, complaints: Complaints
) -> tuple[Turn, ...]:
    """Return the conversation. A content without a role is the user's."""
    if not contents:
        complaints.refuse("contents", "contents is not specified")
        return ()
    numbered = enumerate(contents)
    turns = tuple(
        _turn(content, f"contents[{i}]", media, complaints) for i, content in numbered if not complaints.full
    )
    check_turns(contents, reading, complaints)
    return turns


def read_system(content: Content | None, complaints: Complaints) -> tuple[Text, ...]:
    """Return the system instruction; its role says nothing."""
    if content is None:
        return ()
    path = "system_instruction"
    for index, part in enumerate(content.parts or ()):
        for name in ("function_call", "function_response", "inline_data", "file_data"):
            if getattr(part, name) is not None and not complaints.full:
                complaints.refuse(f"{path}.parts[{index}].{name}", "a system instruction is text.")
    parts = _parts(content, path, MediaReader(None, complaints), complaints)
    return tuple(Text(part.text) for part in parts if isinstance(part, Text | Thought))


def _turn(content: Content, path: str, media: MediaReader, complaints: Complaints) -> Turn:
    role = _ROLES.get(content.role)
    if role is None and not _is_function_turn(content):
        complaints.say(f"{path}.role", "Please use a valid role: user, model.")
    if not content.parts:
        complaints.refuse(f"{path}.parts", "contents.parts must not be empty.")
    return Turn(role=role or "user", parts=_parts(content, path, media, complaints))


def _is_function_turn(content: Content) -> bool:
    return content.role in _FUNCTION_ROLES and any(part.function_response for part in content.parts or ())


def _parts(content: Content, path: str, media: MediaReader, complaints: Complaints) -> tuple[CorePart, ...]:
    numbered = enumerate(content.parts or ())
    read = (
        _part(part, f"{path}.parts[{i}]", media, complaints) for i, part in numbered if not complaints.full
    )
    return tuple(part for part in read if part is not None)


def _part(part: Part, path: str, media: MediaReader, complaints: Complaints) -> CorePart | None:
    for name, reason in refused_in_part(part):
        complaints.refuse(f"{path}.{name}", reason)
    if _has_media(part) and (medium := media.read(part, path)) is not None:
        return medium
    if part.text is not None:
        return Thought(part.text) if part.thought else Text(part.text)
    if part.function_call is not None:
        return read_call(part.function_call, f"{path}.function_call", complaints)
    if part.function_response is not None:
        return read_result(part.function_response, f"{path}.function_response", media, complaints)
    if all(getattr(part, name) is None for name in Part.DATA):
        complaints.refuse(f"{path}.data", "required oneof field 'data' must have one initialized field")
    return None


def _has_media(part: Part) -> bool:
    return _media_of(part) != _NO_MEDIA
