"""What holds in a live session: its settings, how a client changes them, and how they are told.

It knows no connection. Invariant: settings are changed as a whole or, where one of them is refused, not at
all; what is unsaid stays as it was.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec
from msgspec import UNSET

from geminid.wire.openai import refused
from geminid.wire.openai.realtime.schema import (
    AnySession,
    Audio,
    AudioInput,
    Effort,
    Format,
    Function,
    Pcm,
    RealtimeSession,
    SemanticVad,
    ServerVad,
    ToolChoice,
    Transcribing,
    TranscriptionSession,
    Truncation,
)
from geminid.wire.openai.refused import Refused

ONLY_TEXT = "Only text is answered: set it to ['text']."
NO_PROMPTS = "This server keeps no prompts; send them as instructions."
NO_LOGPROBS = "No log-probabilities of single tokens are told of sound."
NO_FILTERS = "This server filters no noise."
NO_SEMANTICS = "This server ends turns by silence: use 'server_vad', or null and input_audio_buffer.commit."
NO_IDLING = "This server answers no silence."
FIXED = "Cannot update a conversation's {} once it has begun."

Kind = Literal["realtime", "transcription"]


class Session(msgspec.Struct, frozen=True, kw_only=True):
    """The settings of one session.

    model: as it was asked for; empty where nothing is answered. expires_s: seconds since 1970. tokens_max:
    None is as many as the model writes. vad None: the client says where turns end.
    """

    id: str
    kind: Kind
    model: str = ""
    expires_s: int = 0
    instructions: str = ""
    tools: tuple[Function, ...] = ()
    tool_choice: ToolChoice = "auto"
    parallel: bool | None = None
    tokens_max: int | None = None
    effort: Effort | None = None
    truncation: Truncation = "auto"
    format: Format = msgspec.field(default_factory=Pcm)
    transcribing: Transcribing | None = None
    vad: ServerVad | None = msgspec.field(default_factory=ServerVad)


def updated(session: Session, said: AnySession, path: str = "session") -> Session:
    """Return a session with what ``said`` changes of it; raises :class:`Refused`."""
    if isinstance(said, TranscriptionSession):
        if session.kind != "transcription":
            raise Refused(FIXED.format("type"), f"{path}.type", refused.INVALID_VALUE)
        _check_include(said.include, path)
        return _sounding(session, said.audio, path)
    if session.kind != "realtime":
        raise Refused(FIXED.format("type"), f"{path}.type", refused.INVALID_VALUE)
    if said.model is not None and session.model and said.model != session.model:
        raise Refused(FIXED.format("model"), f"{path}.model", refused.INVALID_VALUE)
    _check(said, path)
    given: dict[str, Any] = {
        "instructions": said.instructions,
        "tools": None if said.tools is None else tuple(said.tools),
        "tool_choice": said.tool_choice,
        "parallel": said.parallel_tool_calls,
        "effort": said.reasoning.effort if said.reasoning else None,
        "truncation": said.truncation,
    }
    given = {name: value for name, value in given.items() if value is not None}
    if said.max_output_tokens is not None:
        given["tokens_max"] = bound_of(said.max_output_tokens)
    return _sounding(msgspec.structs.replace(session, **given), said.audio, path)


def bound_of(said: int | Literal["inf"]) -> int | None:
    """Return how many tokens an answer may have; None is as many as the model writes."""
    return None if isinstance(said, str) else said


def check_modalities(said: list[Any] | None, path: str) -> None:
    """Raise :class:`Refused` where an answer is to be spoken."""
    if said is not None and said != ["text"]:
        raise refused.unsupported(path, ONLY_TEXT)


def _check(said: RealtimeSession, path: str) -> None:
    check_modalities(said.output_modalities, f"{path}.output_modalities")
    _check_include(said.include, path)
    if said.prompt is not None:
        raise refused.unsupported(f"{path}.prompt", NO_PROMPTS)
    names = [each.name for each in said.tools or ()]
    for index, name in enumerate(names):
        if name in names[:index]:
            where = f"{path}.tools[{index}].name"
            raise Refused(
                f"Invalid '{where}': the function {name} is declared more than once.",
                where,
                refused.INVALID_VALUE,
            )


def _check_include(include: list[str] | None, path: str) -> None:
    if include:
        raise refused.unsupported(f"{path}.include", NO_LOGPROBS)


def _sounding(session: Session, audio: Audio | None, path: str) -> Session:
    """Return a session with what is said of its sound."""
    said = audio.input if audio is not None else None
    if said is None:
        return session
    path = f"{path}.audio.input"
    if said.noise_reduction is not None:
        raise refused.unsupported(f"{path}.noise_reduction", NO_FILTERS)
    given: dict[str, Any] = {}
    if said.format is not None:
        given["format"] = said.format
    if said.transcription is not UNSET:
        given["transcribing"] = said.transcription
    if said.turn_detection is not UNSET:
        given["vad"] = _vad(said, path)
    return msgspec.structs.replace(session, **given)


def _vad(said: AudioInput, path: str) -> ServerVad | None:
    vad = said.turn_detection
    if isinstance(vad, SemanticVad):
        raise refused.unsupported(f"{path}.turn_detection.type", NO_SEMANTICS)
    if not isinstance(vad, ServerVad):
        return None
    if vad.idle_timeout_ms is not None:
        raise refused.unsupported(f"{path}.turn_detection.idle_timeout_ms", NO_IDLING)
    return vad


def told(session: Session) -> dict[str, Any]:
    """Return a session as it is told."""
    sound = {
        "format": session.format,
        "transcription": _said(session.transcribing) if session.transcribing else None,
        "noise_reduction": None,
        "turn_detection": session.vad,
    }
    head = {"type": session.kind, "object": f"realtime.{_OBJECTS[session.kind]}", "id": session.id}
    if session.kind == "transcription":
        return {**head, "expires_at": session.expires_s, "include": None, "audio": {"input": sound}}
    return {
        **head,
        "model": session.model,
        "output_modalities": ["text"],
        "instructions": session.instructions,
        "tools": [_said(tool) for tool in session.tools],
        "tool_choice": session.tool_choice,
        "max_output_tokens": bound_told(session.tokens_max),
        "tracing": None,
        "truncation": session.truncation,
        "prompt": None,
        "expires_at": session.expires_s,
        "audio": {"input": sound},
        "include": None,
        **({"reasoning": {"effort": session.effort}} if session.effort else {}),
        **({} if session.parallel is None else {"parallel_tool_calls": session.parallel}),
    }


def _said(message: msgspec.Struct) -> dict[str, Any]:
    """Return a part of the settings as it was said."""
    said: dict[str, Any] = msgspec.to_builtins(message)
    return {name: value for name, value in said.items() if value is not None}


def bound_told(tokens_max: int | None) -> int | Literal["inf"]:
    """Return how a bound on an answer is told."""
    return "inf" if tokens_max is None else tokens_max


_OBJECTS: dict[Kind, str] = {"realtime": "session", "transcription": "transcription_session"}
