"""Counting tokens on the Gemini wire.

What is counted is a request for generation, so it is read and refused by the same rules.
"""

from __future__ import annotations

from geminid.core.errors import FieldViolation, InvalidArgument
from geminid.core.usage import Usage
from geminid.wire.gemini import answers, generate
from geminid.wire.gemini.complaints import Complaints
from geminid.wire.gemini.generate import ReadRequest
from geminid.wire.gemini.reading import LENIENT, Reading
from geminid.wire.gemini.replies import CountTokensResponse
from geminid.wire.gemini.schema import CountTokensRequest
from geminid.wire.protojson import Reader

_READER = Reader(CountTokensRequest)
_MESSAGE = "CountTokensRequest"
_INNER = "generate_content_request"


def read_request(body: bytes, model: str, reading: Reading = LENIENT) -> ReadRequest:
    """Return the request whose tokens ``model`` is asked to count.

    The body has ``contents``, with the other fields of a request beside it if need be, or one
    ``generateContentRequest``. Raises InvalidArgument for both or neither, and for everything that
    generation would refuse.
    """
    message = _READER.read(body)
    inner = message.generate_content_request
    if inner is None:
        if not message.contents:
            raise _refusal("CountTokens requires generate_content_request or contents to be set.")
        return generate.read_message(message, model, reading, Complaints(_MESSAGE))
    if message.contents:
        raise _refusal("Only one of generate_content_request and contents can be set.", _INNER)
    return generate.read_message(inner, model, reading, Complaints(_MESSAGE, f"{_INNER}."))


def write_answer(usage: Usage) -> bytes:
    """Return the body that tells how many tokens a prompt has."""
    return answers.pretty(
        CountTokensResponse(
            total_tokens=usage.total,
            cached_content_token_count=usage.cached,
            prompt_tokens_details=answers.details(usage.by_modality()),
            cache_tokens_details=answers.details(usage.cached_by_modality()),
        )
    )


def _refusal(message: str, field: str = "") -> InvalidArgument:
    return InvalidArgument(message, violations=(FieldViolation(message, field),))
