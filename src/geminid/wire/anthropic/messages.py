"""The Messages API: a request's bytes to core.

Every 400 about shape is decided here, with the field's path. It knows no HTTP. Invariant: what a request asks
for is honoured, named as a downgrade, or refused; only fields that cannot matter to an answer of text are
ignored.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import msgspec

from geminid.core.manner import Manner
from geminid.core.request import GenerateRequest, JsonOutput, Level, Sampling, Thinking
from geminid.wire.anthropic.blocks import read_words
from geminid.wire.anthropic.conversation import read_conversation
from geminid.wire.anthropic.refusals import check_supported, downgrades_of
from geminid.wire.anthropic.refused import NO_FIELD, Reader, Refused
from geminid.wire.anthropic.schema import (
    Adaptive,
    CountRequest,
    Disabled,
    Enabled,
    JsonFormat,
    MessagesRequest,
)
from geminid.wire.anthropic.tools import read_calling
from geminid.wire.schemas import STANDARD, compiled

TOO_SMALL = "`max_tokens` must be greater than `thinking.budget_tokens`."
NOT_BOTH = "output_format and output_config.format cannot both be set."

FIRST_VERSION, SECOND_VERSION = "2023-06-01", "2026-10-21"
REMOVED = ("temperature", "top_p", "top_k")
"""Fields that the second version has no more; they are served all the same, unless ``server.strict``."""

_READER = Reader(MessagesRequest)
_COUNT_READER = Reader(CountRequest)
_LEVELS: dict[str, Level] = {"low": "low", "medium": "medium", "high": "high", "xhigh": "high", "max": "high"}
_OFF, _DYNAMIC = 0, -1


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """The rules for one request.

    manner_of: how a name behaves. genuine: tells whether a thought signature is one that this server gave;
    None asks for none. version: of the API. strict: refuse what the API refuses in this version and this
    server can do.
    """

    manner_of: Callable[[str], Manner] = lambda name: Manner()
    genuine: Callable[[str], bool] | None = None
    version: str = SECOND_VERSION
    strict: bool = False


class ReadMessages(NamedTuple):
    """A request, and what of it concerns the wire alone.

    downgrades: what is served with less than was asked for, for a response header. shows: how thoughts are
    told. stream: whether the answer is to be sent while it is made.
    """

    request: GenerateRequest
    downgrades: tuple[str, ...]
    shows: Shows
    stream: bool


class Shows(NamedTuple):
    """thinking: whether thoughts are told as blocks; words: whether with their words, not signed alone."""

    thinking: bool = False
    words: bool = True


def read_request(body: bytes, reading: Reading) -> ReadMessages:
    """Return what a body asks for; raises :class:`~geminid.wire.anthropic.refused.Refused`."""
    message: MessagesRequest = _READER.read(body)
    read = _read(message, reading, whole=True)
    if reading.strict and reading.version != FIRST_VERSION:
        for field in REMOVED:
            if getattr(message, field) is not None:
                raise Refused(field, NO_FIELD)
    thinking = message.thinking
    if isinstance(thinking, Enabled) and thinking.budget_tokens >= message.max_tokens:
        raise Refused("", TOO_SMALL)
    user = message.metadata.user_id if message.metadata else None
    request = msgspec.structs.replace(
        read.request,
        tokens_max=message.max_tokens,
        stop=tuple(message.stop_sequences or ()),
        sampling=Sampling(temperature=message.temperature, top_p=message.top_p, top_k=message.top_k),
        labels={"user": user} if user else {},
    )
    return read._replace(request=request, stream=bool(message.stream))


def read_count(body: bytes, reading: Reading) -> ReadMessages:
    """Return what of a body is to be counted; it may be a slice of a history."""
    return _read(_COUNT_READER.read(body), msgspec.structs.replace(reading, genuine=None), whole=False)


def _read(message: CountRequest, reading: Reading, *, whole: bool) -> ReadMessages:
    check_supported(message)
    calling = read_calling(message)
    thinking, shows = _thinking(message, reading.manner_of(message.model))
    said = read_conversation(message.messages, reading.genuine, whole=whole)
    request = GenerateRequest(
        model=message.model,
        turns=said.turns,
        system=read_words(message.system, "system") + said.system,
        thinking=thinking,
        output=_output(message),
        tools=calling.tools,
        call_mode=calling.mode,
        calls_max=calling.calls_max,
    )
    downgrades = tuple(dict.fromkeys((*downgrades_of(message), *calling.downgrades, *said.downgrades)))
    return ReadMessages(request, downgrades, shows, stream=False)


def _thinking(message: CountRequest, manner: Manner) -> tuple[Thinking, Shows]:
    """Return how much may be thought, and how it is told. What is unsaid is the model's own way."""
    effort = message.output_config.effort if message.output_config else None
    match message.thinking:
        case Enabled(budget_tokens=budget, display=display):
            return Thinking(budget_tokens=min(budget, manner.budget_tokens_max), include=True), _shown(
                display
            )
        case Adaptive(display=display):
            return msgspec.structs.replace(_effort(effort or "high", manner), include=True), _shown(display)
        case Disabled():
            return Thinking(budget_tokens=_OFF), Shows()
    return (_effort(effort, manner) if effort else Thinking(level=manner.level_default)), Shows()


def _effort(effort: str, manner: Manner) -> Thinking:
    return Thinking(level=_LEVELS[effort]) if manner.levels else Thinking(budget_tokens=_DYNAMIC)


def _shown(display: str | None) -> Shows:
    return Shows(thinking=True, words=display != "omitted")


def _output(message: CountRequest) -> JsonOutput | None:
    form, path = message.output_format, "output_format"
    if message.output_config is not None and message.output_config.format is not None:
        if form is not None:
            raise Refused(path, NOT_BOTH)
        form, path = message.output_config.format, "output_config.format"
    return _of_schema(form, f"{path}.schema") if form is not None else None


def _of_schema(form: JsonFormat, path: str) -> JsonOutput:
    found = compiled(form.schema, STANDARD)
    if found.faults:
        fault = found.faults[0]
        raise Refused(f"{path}.{fault.path}" if fault.path else path, fault.reason)
    return JsonOutput(grammar=found.grammar, schema=found.schema)
