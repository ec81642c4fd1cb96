"""Generation on the Gemini wire: a request's bytes to core, core's events and answers to bytes.

Every 400 about shape is decided here, with the path of the field. It knows no HTTP and no framing of
streams. Invariant: what a request asks for is honoured, named as a downgrade, or refused; only fields
that cannot matter to an answer of text are ignored.
"""

from __future__ import annotations

from typing import NamedTuple

from geminid.core.request import EnumOutput, GenerateRequest, Tier
from geminid.wire.gemini.answers import Telling, write_answer
from geminid.wire.gemini.cached import read_cached_content
from geminid.wire.gemini.chunks import ChunkWriter
from geminid.wire.gemini.complaints import Complaints
from geminid.wire.gemini.enums import HarmBlockThreshold, HarmCategory, ServiceTier
from geminid.wire.gemini.labels import check_labels
from geminid.wire.gemini.media import RESOLUTIONS, MediaReader
from geminid.wire.gemini.reading import LENIENT, Reading
from geminid.wire.gemini.refusals import REFUSALS, Refusal, refused_in_request
from geminid.wire.gemini.schema import GenerateContentRequest, GenerationConfig, SafetySetting
from geminid.wire.gemini.settings import check_config, read_sampling
from geminid.wire.gemini.shapes import read_output
from geminid.wire.gemini.thinking import read_thinking
from geminid.wire.gemini.tools import read_tools
from geminid.wire.gemini.turns import read_system, read_turns
from geminid.wire.protojson import Reader
from geminid.wire.scalars import clip

__all__ = [
    "REFUSALS",
    "ChunkWriter",
    "ReadRequest",
    "Reading",
    "Refusal",
    "Telling",
    "read_message",
    "read_request",
    "write_answer",
]


class ReadRequest(NamedTuple):
    """A request, and what of it concerns the wire alone.

    downgrades: what is served with less than was asked for, such as ``safety_settings=not-enforced``;
    for a response header and the access log. telling: what of the answer the caller wants to read.
    """

    request: GenerateRequest
    downgrades: tuple[str, ...] = ()
    telling: Telling = Telling()


_READER = Reader(GenerateContentRequest)
_NO_CONFIG = GenerationConfig()

_TIERS: dict[ServiceTier | None, Tier] = {
    ServiceTier.FLEX: "flex",
    ServiceTier.PRIORITY: "priority",
}

_HARMLESS_THRESHOLDS = (
    None,
    HarmBlockThreshold.UNSPECIFIED,
    HarmBlockThreshold.BLOCK_NONE,
    HarmBlockThreshold.OFF,
)
_OLD_CATEGORIES = (
    None,
    HarmCategory.UNSPECIFIED,
    HarmCategory.DEROGATORY,
    HarmCategory.TOXICITY,
    HarmCategory.VIOLENCE,
    HarmCategory.SEXUAL,
    HarmCategory.MEDICAL,
    HarmCategory.DANGEROUS,
)
_CATEGORY_FAULT = (
    "element predicate failed: $.category in (HarmCategory.HARM_CATEGORY_HATE_SPEECH, "
    "HarmCategory.HARM_CATEGORY_SEXUALLY_EXPLICIT, HarmCategory.HARM_CATEGORY_DANGEROUS_CONTENT, "
    "HarmCategory.HARM_CATEGORY_HARASSMENT, HarmCategory.HARM_CATEGORY_CIVIC_INTEGRITY)"
)


def read_request(body: bytes, model: str, reading: Reading = LENIENT) -> ReadRequest:
    """Return what the body of generateContent or streamGenerateContent asks of ``model``.

    ``model`` is the bare name from the path. Raises InvalidArgument, in Google's words where those are
    known, with a violation for each field.
    """
    return read_message(_READER.read(body), model, reading, Complaints())


def read_message(
    message: GenerateContentRequest, model: str, reading: Reading, complaints: Complaints
) -> ReadRequest:
    """Return what an already parsed request asks for; complaints are raised before it returns."""
    config = message.generation_config or _NO_CONFIG
    cached = read_cached_content(message, complaints)
    _check_model(message.model, model, complaints)
    media = MediaReader(RESOLUTIONS[config.media_resolution], complaints)
    turns = read_turns(message.contents, reading, media, complaints)
    system = read_system(message.system_instruction, complaints)
    check_config(config, model, reading.strict, complaints)
    thinking = read_thinking(config.thinking_config, reading.manner, complaints)
    output = read_output(config, complaints)
    tools, call_mode = read_tools(message.tools or (), message.tool_config, complaints)
    _check_safety(message.safety_settings or [], complaints)
    check_labels(message.labels or {}, complaints)
    for path, reason in refused_in_request(message):
        if not complaints.covers(path):  # a wrong value needs no second reason
            complaints.refuse(path, reason)
    complaints.settle()
    request = GenerateRequest(
        model=model,
        turns=turns,
        system=system,
        sampling=read_sampling(config),
        candidates=config.candidate_count or 1,
        tokens_max=config.max_output_tokens,
        stop=tuple(config.stop_sequences or ()),
        logprobs=bool(config.response_logprobs),
        thinking=thinking,
        output=output,
        tools=tools,
        call_mode=call_mode,
        tier=_TIERS.get(message.service_tier, "standard"),
        labels={name: value or "" for name, value in (message.labels or {}).items()},
        cached_content=cached,
    )
    return ReadRequest(request, _downgrades(message, request), _telling(config, request))


def _check_model(said: str | None, model: str, complaints: Complaints) -> None:
    if not said or said.removeprefix("models/") == model:
        return
    if "/" in said.removeprefix("models/"):
        complaints.refuse("model", "unexpected model name format")
    else:
        complaints.refuse("model", f"the body names {clip(said)} but the path names models/{model}.")


def _check_safety(settings: list[SafetySetting], complaints: Complaints) -> None:
    for index, setting in enumerate(settings):
        if setting.category in _OLD_CATEGORIES:
            complaints.refuse(f"safety_settings[{index}]", _CATEGORY_FAULT)


def _telling(config: GenerationConfig, request: GenerateRequest) -> Telling:
    return Telling(
        thoughts=request.thinking.include,
        alternatives=config.logprobs or 0 if request.logprobs else 0,
        tier=request.tier,
    )


def _downgrades(message: GenerateContentRequest, request: GenerateRequest) -> tuple[str, ...]:
    downgrades = []
    if any(setting.threshold not in _HARMLESS_THRESHOLDS for setting in message.safety_settings or ()):
        downgrades.append("safety_settings=not-enforced")
    config = message.generation_config or _NO_CONFIG
    if config.logprobs and not isinstance(request.output, EnumOutput):
        downgrades.append("generation_config.logprobs=chosen-token-only")
    return tuple(downgrades)
