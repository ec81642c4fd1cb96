"""Chat completions: a request's bytes to core, core's events and answers to bytes.

Every 400 about shape is decided here, with the parameter's path. It knows no HTTP. Invariant: what a request
asks for is honoured, named as a downgrade, or refused; only fields that cannot matter to an answer of text
are ignored.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import msgspec

from geminid.core.manner import Manner
from geminid.core.request import GenerateRequest, JsonOutput, Sampling, Tier
from geminid.wire.openai import refused
from geminid.wire.openai.answers import Telling
from geminid.wire.openai.formats import read_format
from geminid.wire.openai.messages import read_messages
from geminid.wire.openai.reading import Reader
from geminid.wire.openai.refusals import check_supported, downgrades_of
from geminid.wire.openai.refused import Refused
from geminid.wire.openai.schema import ChatRequest, DeveloperMessage, GoogleOptions, SystemMessage
from geminid.wire.openai.signatures import check_signatures
from geminid.wire.openai.surfaces import OPENAI, Surface
from geminid.wire.openai.thinking import read_thinking
from geminid.wire.openai.tools import read_calling

PREFIX = "models/"
CACHED_PREFIX = "cachedContents/"
NOT_BESIDE = (
    "CachedContent can not be used with a request that sets system or developer messages, tools or "
    "tool_choice; these belong into the CachedContent."
)
NOT_BOTH = "Setting 'max_tokens' and 'max_completion_tokens' at the same time is not supported."
NO_LOGPROBS = "Invalid value for 'top_logprobs': 'top_logprobs' is only allowed when 'logprobs' is enabled."
NO_STREAM = "The 'stream_options' parameter is only allowed when 'stream' is enabled."

_READER = Reader(ChatRequest)
_TIERS: dict[str | None, Tier] = {"flex": "flex", "priority": "priority", "fast": "priority"}
_HARMLESS_THRESHOLDS = (None, "HARM_BLOCK_THRESHOLD_UNSPECIFIED", "BLOCK_NONE", "OFF")
_LABELS = ("user", "safety_identifier")
"""Fields that are kept with the usage beside ``metadata``, where that has no such name itself."""


def _any_signature(raw: str) -> bool:
    return True


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """The rules for one request.

    strict: refuse what recent Gemini models refuse. manner_of: how a name behaves. genuine: tells whether a
    thought signature is one that this server gave; None asks for none.
    """

    surface: Surface = OPENAI
    strict: bool = False
    manner_of: Callable[[str], Manner] = lambda name: Manner()
    genuine: Callable[[str], bool] | None = _any_signature


class ReadChat(NamedTuple):
    """A request, and what of it concerns the wire alone.

    downgrades: what is served with less than was asked for, for a response header. telling: what of the
    answer the caller wants to read. stream: whether it is to be sent while it is made.
    """

    request: GenerateRequest
    downgrades: tuple[str, ...]
    telling: Telling
    stream: bool


def read_request(body: bytes, reading: Reading) -> ReadChat:
    """Return what the body of a chat completion asks for.

    Raises :class:`~geminid.wire.openai.refused.Refused`, in OpenAI's words where those are known.
    """
    return read_message(_READER.read(body), reading)


def read_message(message: ChatRequest, reading: Reading) -> ReadChat:
    """Return what an already parsed request asks for."""
    model = message.model.removeprefix(PREFIX)
    manner = reading.manner_of(model)
    google, path = _google(message)
    _check(message, reading)
    downgrades = downgrades_of(message)
    thinking = read_thinking(message, google, path, manner)
    output = read_format(message, downgrades)
    calling = read_calling(message)
    said = read_messages(message.messages)
    if reading.surface.signatures and manner.signatures_checked and reading.genuine is not None:
        check_signatures(message.messages, reading.genuine)
    if message.top_logprobs and not isinstance(output, JsonOutput):
        downgrades.append("top_logprobs=chosen-token-only")
    if any(setting.get("threshold") not in _HARMLESS_THRESHOLDS for setting in google.safety_settings or ()):
        downgrades.append("safety_settings=not-enforced")
    request = GenerateRequest(
        model=model,
        turns=said.turns,
        system=said.system,
        sampling=_sampling(message),
        candidates=message.n or 1,
        tokens_max=message.max_completion_tokens or message.max_tokens,
        stop=_stops(message),
        logprobs=bool(message.logprobs),
        thinking=thinking,
        output=output,
        tools=calling.tools,
        call_mode=calling.mode,
        calls_max=calling.calls_max,
        tier=_TIERS.get(message.service_tier, "standard"),
        labels=_labels(message),
        cached_content=_cached_content(google, message, path),
    )
    return ReadChat(
        request,
        (*downgrades, *calling.downgrades, *said.downgrades),
        _telling(message, request),
        bool(message.stream),
    )


def _google(message: ChatRequest) -> tuple[GoogleOptions, str]:
    """Return Google's options and their path; clients put them in either of two places."""
    inner = message.extra_body.google if message.extra_body else None
    if inner is not None and message.google is not None:
        raise Refused("'google' and 'extra_body.google' cannot be set at the same time.", "google")
    return inner or message.google or GoogleOptions(), "extra_body.google" if inner else "google"


def _cached_content(google: GoogleOptions, message: ChatRequest, path: str) -> str:
    """Return the id of the cached contents that come before the messages, empty for none."""
    said = google.cached_content
    if not said:
        return ""
    instructed = any(isinstance(each, SystemMessage | DeveloperMessage) for each in message.messages)
    if instructed or message.tools or message.tool_choice is not None:
        raise Refused(NOT_BESIDE, f"{path}.cached_content", refused.INVALID_VALUE)
    return said.removeprefix(CACHED_PREFIX) or said


def _check(message: ChatRequest, reading: Reading) -> None:
    """See to what fields mean to each other."""
    check_supported(message, reading.strict)
    if message.max_tokens is not None and message.max_completion_tokens is not None:
        raise Refused(NOT_BOTH, "max_tokens", "invalid_parameter_combination")
    if message.top_logprobs is not None and not message.logprobs:
        raise Refused(NO_LOGPROBS, "top_logprobs")
    if message.stream_options is not None and not message.stream:
        raise Refused(NO_STREAM, "stream_options")
    stops_max = reading.surface.stops_max
    if isinstance(message.stop, list) and len(message.stop) > stops_max:
        raise refused.too_large("stop", "array", "an", len(message.stop), stops_max)


def _sampling(message: ChatRequest) -> Sampling:
    return Sampling(
        temperature=message.temperature,
        top_p=message.top_p,
        seed=message.seed,
        presence_penalty=message.presence_penalty,
        frequency_penalty=message.frequency_penalty,
    )


def _stops(message: ChatRequest) -> tuple[str, ...]:
    if isinstance(message.stop, str):
        if not message.stop:
            raise refused.empty("stop", "string", "a")
        return (message.stop,)
    return tuple(message.stop or ())


def _labels(message: ChatRequest) -> dict[str, str]:
    given = {name: value for name in _LABELS if (value := getattr(message, name))}
    return given | (message.metadata or {})


def _telling(message: ChatRequest, request: GenerateRequest) -> Telling:
    return Telling(
        thoughts=request.thinking.include,
        alternatives=message.top_logprobs or 0,
        logprobs=request.logprobs,
        usage=bool(message.stream_options and message.stream_options.include_usage),
        tier=request.tier,
    )
