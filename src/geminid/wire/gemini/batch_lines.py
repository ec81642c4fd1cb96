"""Lines of batches on the Gemini wire: one request of many in, its result out, each a line of JSON.

A line is ``{"key": "k1", "request": {…}}``; requests that came inline are lines too, with ``metadata`` in the
place of the key. What a caller hung on a request comes back on its result as it was. It knows no files and no
order. Invariant: whatever the bytes of a line are, it becomes a :class:`Line`, and its result is one line.
"""

from __future__ import annotations

from typing import Any

import msgspec

from geminid.core.errors import FieldViolation, InvalidArgument, Problem
from geminid.wire import lenient
from geminid.wire.gemini.errors import status_of
from geminid.wire.lines import Line, compact
from geminid.wire.scalars import clip

GENERATE = "batchGenerateContent"
EMBED = "asyncBatchEmbedContent"

_NAMES = ("key", "request", "metadata")
_encode = msgspec.json.Encoder().encode


class _Spelled(msgspec.Struct, forbid_unknown_fields=True):
    """A line as nearly all are: one object with the right names."""

    request: msgspec.Raw
    key: Any = None
    metadata: dict[str, Any] | None = None


_STRICT = msgspec.json.Decoder(_Spelled)


def read_line(line: bytes, number: int) -> Line:
    """Return what a line asks for. Never raises: what is wrong with it is its ``fault``.

    number: of the line, from 1, for the words of what cannot be read, since that has no key.
    """
    try:
        spelled = _STRICT.decode(line)
        return _of(spelled.request, spelled.key, spelled.metadata)
    except (ValueError, RecursionError):
        pass  # read again below, as forgivingly as bodies are, or with the reason in Google's words
    try:
        said = lenient.parse(line)
    except InvalidArgument as fault:
        return refused_line(number, fault.message)
    return _read_said(said, number)


def refused_line(number: int, reason: str) -> Line:
    """Return a line that is answered with a reason only, such as one that is too long to be read."""
    return Line(fault=_fault(f"Line {number}: {reason}"))


def write_line(request: bytes, metadata: bytes = b"") -> bytes:
    """Return the line of a request that came inline; both are JSON."""
    more = b',"metadata":' + metadata if metadata else b""
    return b'{"request":' + compact(request) + more + b"}\n"


def write_result(line: Line, response: bytes) -> bytes:
    """Return the result of a line that was answered; ``response`` is the body of a unary answer."""
    return b'{"response":' + compact(response) + _tail(line)


def write_failure(line: Line, problem: Problem, method: str = GENERATE) -> bytes:
    """Return the result of a line that was not answered, as a google.rpc.Status.

    Nothing but code and message: clients take the status's details for strings, which they are not.
    """
    return b'{"error":' + _encode(status_of(problem, method)) + _tail(line)


def write_embedding(values: bytes, tokens: int) -> bytes:
    """Return the response of one embedded text. ``values`` is the JSON of its vector."""
    return b'{"embedding":{"values":' + values + b'},"tokenCount":"%d"}' % tokens


def _read_said(said: Any, number: int) -> Line:
    if not isinstance(said, dict):
        return refused_line(number, "it must be an object with a request.")
    strangers = [name for name in said if name not in _NAMES]
    request, key, metadata = said.get("request"), said.get("key"), said.get("metadata")
    fault = None
    if strangers:
        fault = f'Invalid JSON payload received. Unknown name "{clip(strangers[0])}": Cannot find field.'
    elif not isinstance(request, dict):
        fault = "request: it must be an object." if "request" in said else "request: it is not specified."
    elif metadata is not None and not isinstance(metadata, dict):
        fault = "metadata: it must be an object."
    try:
        read = _of(_encode(request), key, metadata)
    except (ValueError, RecursionError):
        return refused_line(number, fault or "it nests too deep, or holds a number that is not finite.")
    if fault is not None:
        return msgspec.structs.replace(read, request=b"", fault=_fault(f"Line {number}: {fault}"))
    return read


def _of(request: bytes | msgspec.Raw, key: Any, metadata: Any) -> Line:
    for value in (key, metadata):
        lenient.check_free(value)
    return Line(
        request=bytes(request),
        key=b"" if key is None else _encode(key),
        metadata=b"" if metadata is None else _encode(metadata),
    )


def _fault(message: str) -> InvalidArgument:
    return InvalidArgument(message, violations=(FieldViolation(message),))


def _tail(line: Line) -> bytes:
    tail = b""
    if line.key:
        tail += b',"key":' + line.key
    if line.metadata:
        tail += b',"metadata":' + line.metadata
    return tail + b"}\n"
