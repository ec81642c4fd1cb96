"""Generation on the Gemini wire: a request's bytes to core, core's events and answers to bytes.

Every 400 about shape is decided here, with the path of the field. It knows no HTTP and no framing of
streams. Invariant: what a request asks for is honoured, named as a downgrade, or refused; only fields
that cannot matter to an answer of text are ignored.
"""

from __future__ import annotations

from typing import NamedTuple

from geminid.core.request import GenerateRequest
from geminid.wire.gemini.answers import write_answer
from geminid.wire.gemini.chunks import ChunkWriter
from geminid.wire.gemini.complaints import Complaints
from geminid.wire.gemini.enums import HarmBlockThreshold, HarmCategory, ServiceTier
from geminid.wire.gemini.refusals import REFUSALS, Refusal, refused_in_request
from geminid.wire.gemini.schema import GenerateContentRequest, GenerationConfig, SafetySetting
from geminid.wire.gemini.settings import check_config, read_sampling
from geminid.wire.gemini.turns import read_system, read_turns
from geminid.wire.protojson import Reader
from geminid.wire.scalars import clip

__all__ = [
    "REFUSALS",
    "ChunkWriter",
    "ReadRequest",
    "Refusal",
    "read_message",
    "read_request",
    "write_answer",
]


class ReadRequest(NamedTuple):
    """A request, and what of it is served with less than was asked for.

    downgrades: such as ``safety_settings=not-enforced``; for a response header and the access log.
    """

    request: GenerateRequest
    downgrades: tuple[str, ...] = ()


_READER = Reader(GenerateContentRequest)
_NO_CONFIG = GenerationConfig()

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


def read_request(body: bytes, model: str, *, strict: bool = False) -> ReadRequest:
    """Return what the body of generateContent or streamGenerateContent asks of ``model``.

    ``model`` is the bare name from the path. ``strict`` refuses several candidates, penalties and
    log-probabilities, as the live service does on recent models. Raises InvalidArgument, in Google's
    words where those are known, with a violation for each field.
    """
    return read_message(_READER.read(body), model, Complaints(), strict=strict)


def read_message(
    message: GenerateContentRequest, model: str, complaints: Complaints, *, strict: bool
) -> ReadRequest:
    """Return what an already parsed request asks for; complaints are raised before it returns."""
    config = message.generation_config or _NO_CONFIG
    _check_model(message.model, model, complaints)
    turns = read_turns(message.contents, complaints)
    system = read_system(message.system_instruction, complaints)
    check_config(config, model, strict, complaints)
    _check_safety(message.safety_settings or [], complaints)
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
    )
    return ReadRequest(request, _downgrades(message))


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


def _downgrades(message: GenerateContentRequest) -> tuple[str, ...]:
    downgrades = []
    if any(setting.threshold not in _HARMLESS_THRESHOLDS for setting in message.safety_settings or ()):
        downgrades.append("safety_settings=not-enforced")
    if message.service_tier in (ServiceTier.FLEX, ServiceTier.PRIORITY):
        downgrades.append("service_tier=standard")
    return tuple(downgrades)
