"""Contents and parts as they stand on the wire, in requests and answers.

Every member that a published client can send is known here, also those that are refused later: a
caller must hear "not supported", not "unknown name". Schemas and arguments are kept as sent.
"""

from __future__ import annotations

from collections.abc import Mapping
from operator import attrgetter
from typing import ClassVar

from geminid.wire.gemini.enums import MediaResolution
from geminid.wire.protojson import FreeForm, Message
from geminid.wire.scalars import Int32


class Blob(Message):
    """Media inside the request."""

    mime_type: str | None = None
    data: bytes | None = None
    display_name: str | None = None


class FileData(Message):
    """Media elsewhere, by address."""

    mime_type: str | None = None
    file_uri: str | None = None
    display_name: str | None = None


class FunctionCall(Message):
    """A call that a model asked for."""

    name: str | None = None
    args: FreeForm | None = None
    id: str | None = None
    partial_args: list[FreeForm] | None = None
    will_continue: bool | None = None


class FunctionResponsePart(Message):
    """Media that a function gave back."""

    inline_data: Blob | None = None
    file_data: FileData | None = None


class FunctionResponse(Message):
    """What a function gave back."""

    id: str | None = None
    name: str | None = None
    response: FreeForm | None = None
    parts: list[FunctionResponsePart] | None = None
    will_continue: bool | None = None  # ignored: of live sessions only
    scheduling: str | None = None  # ignored: of live sessions only


class ExecutableCode(Message):
    """Code that a model wrote to be run."""

    id: str | None = None
    language: str | None = None
    code: str | None = None


class CodeExecutionResult(Message):
    """What that code printed."""

    id: str | None = None
    outcome: str | None = None
    output: str | None = None


class ToolCall(Message):
    """The echo of a call to a tool of the server."""

    id: str | None = None
    tool_type: str | None = None
    args: FreeForm | None = None


class ToolResponse(Message):
    """The echo of what a tool of the server gave back."""

    id: str | None = None
    tool_type: str | None = None
    response: FreeForm | None = None


class VideoMetadata(Message):
    """Which stretch of a video is meant, and how many frames of each second."""

    start_offset: str | None = None
    end_offset: str | None = None
    fps: float | None = None


class PartMediaResolution(Message):
    """How finely the media of one part is looked at."""

    level: MediaResolution | None = None
    num_tokens: Int32 | None = None


class Part(Message):
    """One piece of a content: exactly one member of ``DATA``, and annotations.

    ``thought_signature`` is text here, not bytes: clients send values that are no base64.
    """

    DATA: ClassVar[tuple[str, ...]] = (
        "text",
        "inline_data",
        "file_data",
        "function_call",
        "function_response",
        "executable_code",
        "code_execution_result",
        "tool_call",
        "tool_response",
    )
    ONEOFS: ClassVar[Mapping[str, tuple[str, ...]]] = {"data": DATA}

    text: str | None = None
    inline_data: Blob | None = None
    file_data: FileData | None = None
    function_call: FunctionCall | None = None
    function_response: FunctionResponse | None = None
    executable_code: ExecutableCode | None = None
    code_execution_result: CodeExecutionResult | None = None
    tool_call: ToolCall | None = None
    tool_response: ToolResponse | None = None
    thought: bool | None = None
    thought_signature: str | None = None
    video_metadata: VideoMetadata | None = None
    media_resolution: PartMediaResolution | None = None
    part_metadata: FreeForm | None = None
    media_processing: FreeForm | None = None
    audio_transcription: FreeForm | None = None
    speech_metadata: FreeForm | None = None

    def __post_init__(self) -> None:
        # The strict decoder knows no oneof; refusing here sends the body to the reader that words it.
        if _data_of(self).count(None) < len(self.DATA) - 1:
            raise ValueError("oneof field 'data' is already set")


_data_of = attrgetter(*Part.DATA)  # one call for all members: this runs for every part


class Content(Message):
    """One turn of a conversation."""

    parts: list[Part] | None = None
    role: str | None = None
