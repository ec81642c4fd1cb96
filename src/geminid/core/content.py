"""What is said: turns and their parts.

Pure values. They know no wire (a role is ``user`` or ``model`` whatever the client wrote), no
tokens and no storage. Invariant: a part is never empty of meaning by accident; an empty ``Text``
is one that the caller really sent.

Media come as ``Blob`` or ``FileRef``. Before an engine sees a request they have become what its model
can take: ``Text`` that tells what was read, or ``Picture`` for a model with eyes.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

Role = Literal["user", "model"]
Modality = Literal["text", "image", "audio", "video", "document"]
Resolution = Literal["low", "medium", "high", "ultra_high"]


class Text(msgspec.Struct, frozen=True, tag="text"):
    """Words to be read by the model, or written by it. ``modality`` tells what they were read from."""

    text: str
    modality: Modality = "text"


class Thought(msgspec.Struct, frozen=True, tag="thought"):
    """Words of the model to itself, as a client sends them back. They are never prompted again."""

    text: str


class Look(msgspec.Struct, frozen=True, kw_only=True):
    """How a medium is looked at: which stretch of it, how many frames of each second, how finely.

    ``end_ms`` None is its end; ``fps`` and ``resolution`` None leave the choice to the reader.
    """

    start_ms: int = 0
    end_ms: int | None = None
    fps: float | None = None
    resolution: Resolution | None = None


class Blob(msgspec.Struct, frozen=True, tag="blob"):
    """A medium inside the request. ``field`` is what the caller calls its place, for errors; ``name`` is
    what the caller calls the medium itself, empty when unsaid."""

    mime_type: str
    data: bytes
    look: Look = Look()
    field: str = ""
    name: str = ""


class FileRef(msgspec.Struct, frozen=True, tag="file"):
    """A medium elsewhere: an uploaded file or an address. ``mime_type`` may be empty."""

    uri: str
    mime_type: str = ""
    look: Look = Look()
    field: str = ""
    name: str = ""


class Picture(msgspec.Struct, frozen=True, tag="picture"):
    """An image for a model with eyes: a whole PNG or JPEG file that this server has encoded itself.

    ``modality`` tells what it was taken from: a picture, a film, a page of a document.
    """

    data: bytes
    modality: Modality = "image"


class ToolCall(msgspec.Struct, frozen=True, tag="tool_call"):
    """A function that the model wants called. ``id`` is empty when whoever wrote the call gave none."""

    name: str
    args: dict[str, Any]
    id: str = ""


class ToolResult(msgspec.Struct, frozen=True, tag="tool_result"):
    """What a called function gave back; ``parts`` is what it gave beside its response."""

    name: str
    response: dict[str, Any]
    id: str = ""
    parts: tuple[Text | Blob | FileRef | Picture, ...] = ()


Part = Text | Thought | Blob | FileRef | Picture | ToolCall | ToolResult


class Turn(msgspec.Struct, frozen=True):
    """One speaker's parts, in order. Neighbouring turns may have the same role."""

    role: Role
    parts: tuple[Part, ...]
