"""The generation config of the wire, checked field by field.

It knows no model: bounds are those that the API documents for every model. ``strict`` means to refuse
what the live service refuses on recent models although this server can do it.
"""

from __future__ import annotations

from typing import NamedTuple

from geminid.core.request import Sampling
from geminid.wire.gemini.complaints import Complaints
from geminid.wire.gemini.enums import MediaResolution
from geminid.wire.gemini.schema import GenerationConfig
from geminid.wire.scalars import INT32_MAX

STOP_SEQUENCES_MAX = 5
CANDIDATES_MAX = 8

_PATH = "generation_config."
_MIME_TYPES = (
    None,
    "",
    "text/plain",
    "application/json",
    "application/xml",
    "application/yaml",
    "text/x.enum",
)


class Range(NamedTuple):
    """The numbers that a field may have; ``high`` itself only when ``closed``."""

    field: str
    wire_name: str
    low: float
    high: float
    closed: bool = False

    def holds(self, value: float) -> bool:
        """Tell whether ``value`` is inside."""
        return self.low <= value < self.high or (self.closed and value == self.high)

    def complaint(self, value: float) -> str:
        """Return what Google's front end says of a value outside."""
        end = "inclusive" if self.closed else "exclusive"
        return (
            f"Unable to submit request because it has a {self.wire_name} value of {value:.15g} but the "
            f"supported range is from {self.low:.15g} (inclusive) to {self.high:.15g} ({end}). "
            "Update the value and try again."
        )


RANGES: tuple[Range, ...] = (
    Range("temperature", "temperature", 0, 2, closed=True),
    Range("top_p", "topP", 0, 1, closed=True),
    Range("top_k", "topK", 1, INT32_MAX + 1),
    Range("candidate_count", "candidateCount", 1, CANDIDATES_MAX + 1),
    Range("presence_penalty", "presencePenalty", -2, 2),
    Range("frequency_penalty", "frequencyPenalty", -2, 2),
    Range("logprobs", "logprobs", 0, 21),
)
"""Bounds of numbers. ``max_output_tokens`` is apart: its upper end is the model's own."""

_TOKENS = Range("max_output_tokens", "maxOutputTokens", 1, 65537)


def check_config(config: GenerationConfig, model: str, strict: bool, complaints: Complaints) -> None:
    """Note everything in ``config`` that is wrong for any model, or for a recent one when ``strict``."""
    for bounds in RANGES:
        value = getattr(config, bounds.field)
        if value is not None and not bounds.holds(value):
            complaints.say(_PATH + bounds.field, bounds.complaint(value))
    if config.max_output_tokens is not None and config.max_output_tokens < 1:
        complaints.say(_PATH + _TOKENS.field, _TOKENS.complaint(config.max_output_tokens))
    if config.logprobs is not None and not config.response_logprobs:
        complaints.refuse(_PATH + "logprobs", "logprobs needs response_logprobs to be true.")
    if config.media_resolution is MediaResolution.ULTRA_HIGH:
        reason = "MEDIA_RESOLUTION_ULTRA_HIGH can only be asked for a part."
        complaints.refuse(_PATH + "media_resolution", reason)
    _check_stops(config.stop_sequences or [], complaints)
    _check_mime_type(config.response_mime_type, complaints)
    if strict:
        _check_strictly(config, model, complaints)


def read_sampling(config: GenerationConfig) -> Sampling:
    """Return how tokens are drawn; what the caller did not say stays unsaid."""
    return Sampling(
        temperature=config.temperature,
        top_p=config.top_p,
        top_k=config.top_k,
        seed=config.seed,
        presence_penalty=config.presence_penalty,
        frequency_penalty=config.frequency_penalty,
    )


def _check_stops(stops: list[str], complaints: Complaints) -> None:
    path = _PATH + "stop_sequences"
    if len(stops) > STOP_SEQUENCES_MAX:
        complaints.refuse(path, f"at most {STOP_SEQUENCES_MAX} stop sequences are allowed, got {len(stops)}.")
    for index, stop in enumerate(stops):
        if not stop:
            complaints.refuse(f"{path}[{index}]", "a stop sequence must not be empty.")


def _check_mime_type(mime_type: str | None, complaints: Complaints) -> None:
    if mime_type not in _MIME_TYPES:
        complaints.refuse(
            _PATH + "response_mime_type",
            "allowed mimetypes are `text/plain`, `application/json`, `application/xml`, `application/yaml` "
            "and `text/x.enum`.",
        )


def _check_strictly(config: GenerationConfig, model: str, complaints: Complaints) -> None:
    if (config.candidate_count or 1) > 1:
        complaints.say(_PATH + "candidate_count", "Multiple candidates is not enabled for this model")
    for name in ("presence_penalty", "frequency_penalty"):
        if getattr(config, name):
            complaints.say(_PATH + name, "Penalty is not enabled for this model")
    if config.response_logprobs:
        complaints.say(_PATH + "response_logprobs", f"Logprobs is not enabled for models/{model}")
