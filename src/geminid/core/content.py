"""What is said: turns and their parts.

Pure values. They know no wire (a role is ``user`` or ``model`` whatever the client wrote), no
tokens and no storage. Invariant: a part is never empty of meaning by accident; an empty ``Text``
is one that the caller really sent.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

Role = Literal["user", "model"]


class Text(msgspec.Struct, frozen=True, tag="text"):
    """Words to be read by the model, or written by it."""

    text: str


class Thought(msgspec.Struct, frozen=True, tag="thought"):
    """Words of the model to itself, as a client sends them back. They are never prompted again."""

    text: str


class ToolCall(msgspec.Struct, frozen=True, tag="tool_call"):
    """A function that the model wants called. ``id`` is empty when whoever wrote the call gave none."""

    name: str
    args: dict[str, Any]
    id: str = ""


class ToolResult(msgspec.Struct, frozen=True, tag="tool_result"):
    """What a called function gave back. ``text`` is what further parts of it say, read as text."""

    name: str
    response: dict[str, Any]
    id: str = ""
    text: tuple[str, ...] = ()


Part = Text | Thought | ToolCall | ToolResult


class Turn(msgspec.Struct, frozen=True):
    """One speaker's parts, in order. Neighbouring turns may have the same role."""

    role: Role
    parts: tuple[Part, ...]
