"""Lines of batches on OpenAI's wire: one request of many in, its result out, each a line of JSON.

A line is ``{"custom_id", "method", "url", "body"}``, a result ``{"id", "custom_id", "response", "error"}``.
What an endpoint would refuse with a status stands in ``response``, in the file of errors; ``error`` is for
what never came so far. A format stands for an endpoint at a surface: ``/v1/chat/completions@/v1``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

import msgspec

from geminid.core.batch import BatchKind
from geminid.core.card import EmbeddingCard
from geminid.core.embed import Embedding, EmbedRequest
from geminid.core.errors import Cancelled, DeadlineExceeded, InvalidArgument, Problem
from geminid.core.events import Answer
from geminid.core.request import GenerateRequest
from geminid.core.usage import Usage
from geminid.wire.lines import About, Formats, Line, Rules, Sign, compact
from geminid.wire.openai import answers, batch_responses, chat, embeddings
from geminid.wire.openai.answers import Telling
from geminid.wire.openai.chat import Reading
from geminid.wire.openai.errors import row_of, write_error_event
from geminid.wire.openai.refused import Refused
from geminid.wire.openai.surfaces import OPENAI, SURFACES, Surface

Endpoint = Literal["/v1/chat/completions", "/v1/embeddings", "/v1/responses"]
NO_STREAM = "Streaming is not supported in the Batch API."
EXPIRED = ("batch_expired", "This request could not be executed before the completion window expired.")
CANCELLED = ("batch_cancelled", "This request was not executed because the batch was cancelled.")

_encode = msgspec.json.Encoder().encode


class Spelled(msgspec.Struct, forbid_unknown_fields=True):
    """A line as it is to be."""

    custom_id: str
    method: str
    url: str
    body: msgspec.Raw


class _Response(msgspec.Struct):
    body: msgspec.Raw


class _Result(msgspec.Struct):
    response: _Response


SPELLED = msgspec.json.Decoder(Spelled)
_RESULT = msgspec.json.Decoder(_Result)


class _Lines:
    """What all formats have in common."""

    apart = True
    id_field = b""
    """How the id of an answer begins in its body; empty where it has none."""

    def read(self, raw: bytes, number: int) -> Line:
        try:
            spelled = SPELLED.decode(raw)
        except (ValueError, RecursionError) as error:
            return self.refused(number, str(error))
        return Line(request=bytes(spelled.body), key=_encode(spelled.custom_id))

    def refused(self, number: int, reason: str) -> Line:
        return Line(fault=InvalidArgument(f"Line {number}: {reason}"))

    def result(self, line: Line, body: bytes, name: str) -> bytes:
        return _result(line, name, _response(200, name, body))

    def failure(self, line: Line, problem: Problem, name: str) -> bytes:
        if isinstance(problem, DeadlineExceeded | Cancelled):
            code, message = EXPIRED if isinstance(problem, DeadlineExceeded) else CANCELLED
            return _result(line, name, b"null", _encode({"code": code, "message": message}))
        status = row_of(type(problem)).status
        return _result(line, name, _response(status, name, write_error_event(problem)))

    def body_of(self, result: bytes) -> bytes:
        return bytes(_RESULT.decode(result).response.body)

    def with_receipt(self, body: bytes, old: str, new: str) -> bytes:
        if not self.id_field:
            return body
        return body.replace(self.id_field + old.encode() + b'"', self.id_field + new.encode() + b'"', 1)


class ChatLines(_Lines):
    """Lines that ask for chat completions, as they are at one surface."""

    def __init__(self, surface: Surface) -> None:
        self._surface = surface
        self.id_field = b'"id":"' + surface.id_prefix.encode()

    def read_request(self, request: bytes, rules: Rules) -> tuple[GenerateRequest, Telling]:
        """Return what a line asks; raises ``InvalidArgument``."""
        reading = Reading(
            surface=self._surface,
            strict=rules.strict,
            manner_of=lambda name: rules.manner,
            genuine=rules.genuine,
        )
        read = chat.read_request(request, reading)
        if read.stream:
            raise Refused(NO_STREAM, "stream", "streaming_unsupported")
        asked = msgspec.structs.replace(read.request, tier="batch")
        return asked, msgspec.structs.replace(read.telling, tier="batch")

    def write_answer(self, answer: Answer, about: About, telling: Any, sign: Sign) -> bytes:
        """Return a whole answer on one line."""
        heading = answers.heading_of(self._surface, about.card, about.id, about.created_s, telling)
        signing = sign if self._surface.signatures else None
        return compact(answers.write_answer(answer, heading, telling, signing))


class ResponseLines(_Lines):
    """Lines that ask for responses, which OpenAI's own surface alone has."""

    def read_request(self, request: bytes, rules: Rules) -> tuple[GenerateRequest, Any]:
        """Return what a line asks; raises ``InvalidArgument``."""
        return batch_responses.read_response(request, rules)

    def write_answer(self, answer: Answer, about: About, telling: Any, sign: Sign) -> bytes:
        """Return a response on one line."""
        return batch_responses.write_line(answer, about, telling, sign)

    def with_receipt(self, body: bytes, old: str, new: str) -> bytes:
        """Return a body with another id, of which the ids of its items are made too."""
        return body.replace(old.encode(), new.encode())


class EmbeddingLines(_Lines):
    """Lines that ask for embeddings."""

    def read_request(self, request: bytes, model: str) -> tuple[EmbedRequest, embeddings.Encoding]:
        """Return what a line asks; raises ``InvalidArgument``."""
        read = embeddings.read_embeddings(request)
        return msgspec.structs.replace(read.request, tier="batch"), read.encoding

    def write_vectors(
        self, vectors: Sequence[Embedding], card: EmbeddingCard, usage: Usage, telling: Any
    ) -> bytes:
        """Return the vectors of all inputs of a line."""
        return embeddings.write_embeddings(vectors, card.name, usage, telling, one_line=True)


class Work(NamedTuple):
    """What an endpoint does. word: what it is called in refusals. needed: a field that its body must have."""

    kind: BatchKind
    word: str
    needed: str


ENDPOINTS: dict[Endpoint, Work] = {
    "/v1/chat/completions": Work("generate", "Chat Completions", "messages"),
    "/v1/embeddings": Work("embed", "Embeddings", "input"),
    "/v1/responses": Work("generate", "Responses", "input"),
}


def format_of(endpoint: str, surface: Surface) -> str:
    """Return the name of a format."""
    return f"{endpoint}@{surface.prefix}"


def endpoint_of(name: str) -> Endpoint:
    """Return the endpoint of a format."""
    return _ENDPOINTS[name]


def endpoints_of(surface: Surface) -> tuple[Endpoint, ...]:
    """Return the endpoints that batches of a surface may ask."""
    return tuple(endpoint for endpoint in ENDPOINTS if format_of(endpoint, surface) in NAMES)


def kind_of(endpoint: Endpoint) -> BatchKind:
    """Return what lines for an endpoint ask for."""
    return ENDPOINTS[endpoint].kind


FORMATS = Formats(
    answers={
        **{format_of("/v1/chat/completions", surface): ChatLines(surface) for surface in SURFACES},
        format_of("/v1/responses", OPENAI): ResponseLines(),
    },
    vectors={format_of("/v1/embeddings", surface): EmbeddingLines() for surface in SURFACES},
)
NAMES = frozenset((*FORMATS.answers, *FORMATS.vectors))
"""The formats whose jobs this wire knows."""
_ENDPOINTS = {format_of(endpoint, surface): endpoint for endpoint in ENDPOINTS for surface in SURFACES}


def _response(status: int, name: str, body: bytes) -> bytes:
    return b'{"status_code":%d,"request_id":%s,"body":%s}' % (status, _encode(name), body)


def _result(line: Line, name: str, response: bytes, error: bytes = b"null") -> bytes:
    id_ = _encode(f"batch_req_{name.partition(':')[2].replace(':', '_')}")
    key = line.key or b"null"
    return b'{"id":%s,"custom_id":%s,"response":%s,"error":%s}\n' % (id_, key, response, error)
