"""Contents of the wire to turns of a conversation.

It knows no settings and no tools. Invariant: every part of the request is either in the turns, in the
same order, or complained about.
"""

from __future__ import annotations

from geminid.core.content import Part as CorePart
from geminid.core.content import Role, Text, Thought, Turn
from geminid.wire.gemini.complaints import Complaints
from geminid.wire.gemini.content import Content, Part
from geminid.wire.gemini.refusals import refused_in_part

_ROLES: dict[str | None, Role] = {None: "user", "": "user", "user": "user", "model": "model"}
_FUNCTION_ROLES = ("function", "tool")


def read_turns(contents: list[Content] | None, complaints: Complaints) -> tuple[Turn, ...]:
    """Return the conversation. A content without a role is the user's."""
    if not contents:
        complaints.refuse("contents", "contents is not specified")
        return ()
    numbered = enumerate(contents)
    return tuple(
        _turn(content, f"contents[{i}]", complaints) for i, content in numbered if not complaints.full
    )


def read_system(content: Content | None, complaints: Complaints) -> tuple[Text, ...]:
    """Return the system instruction; its role says nothing."""
    if content is None:
        return ()
    parts = _parts(content, "system_instruction", complaints)
    return tuple(Text(part.text) for part in parts)


def _turn(content: Content, path: str, complaints: Complaints) -> Turn:
    role = _ROLES.get(content.role)
    if role is None and not _is_function_turn(content):
        complaints.say(f"{path}.role", "Please use a valid role: user, model.")
    if not content.parts:
        complaints.refuse(f"{path}.parts", "contents.parts must not be empty.")
    return Turn(role=role or "user", parts=_parts(content, path, complaints))


def _is_function_turn(content: Content) -> bool:
    return content.role in _FUNCTION_ROLES and any(part.function_response for part in content.parts or ())


def _parts(content: Content, path: str, complaints: Complaints) -> tuple[CorePart, ...]:
    numbered = enumerate(content.parts or ())
    read = (_part(part, f"{path}.parts[{i}]", complaints) for i, part in numbered if not complaints.full)
    return tuple(part for part in read if part is not None)


def _part(part: Part, path: str, complaints: Complaints) -> CorePart | None:
    for name, reason in refused_in_part(part):
        complaints.refuse(f"{path}.{name}", reason)
    if part.text is not None:
        return Thought(part.text) if part.thought else Text(part.text)
    if all(getattr(part, name) is None for name in Part.DATA):
        complaints.refuse(f"{path}.data", "required oneof field 'data' must have one initialized field")
    return None
