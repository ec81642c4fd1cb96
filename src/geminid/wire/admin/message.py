"""Bodies of the administration API: JSON ⇄ messages, strictly.

Unlike Google's API there is one spelling of everything. Invariant: what a body says is either used or
refused with its path.
"""

from __future__ import annotations

from functools import cache
from typing import Any, TypeVar

import msgspec

from geminid.core.errors import FieldViolation, InvalidArgument

M = TypeVar("M", bound="Message")


class Message(msgspec.Struct, forbid_unknown_fields=True, rename="camel", kw_only=True, frozen=True):
    """Base of every message: camelCase on the wire, everything said."""


class Patch(Message, omit_defaults=True, frozen=True):
    """Base of messages of which everything may be left out."""


class ErrorStatus(Message, frozen=True):
    """What went wrong: the HTTP status, words, google.rpc code, typed details."""

    code: int
    message: str
    status: str
    details: list[dict[str, Any]] | msgspec.UnsetType = msgspec.UNSET


class Error(Message, frozen=True):
    """The body of every refusal, in the shape of the API's own."""

    error: ErrorStatus


def read(kind: type[M], body: bytes) -> M:
    """Return the message that ``body`` spells; raises InvalidArgument with the path of the mistake."""
    try:
        message: M = _decoder(kind).decode(body)
    except msgspec.ValidationError as error:
        what, _, path = str(error).partition(" - at ")
        field = path.strip("`").removeprefix("$").removeprefix(".")
        what = _told(kind, field, what)
        words = f"{field}: {what}" if field else what
        raise InvalidArgument(words, violations=(FieldViolation(what, field),)) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidArgument(f"The body is not JSON: {error}") from error
    return message


def write(message: Message) -> bytes:
    """Return the JSON of a message, indented."""
    return msgspec.json.format(_ENCODER.encode(message), indent=2) + b"\n"


def _told(kind: type[Any], field: str, what: str) -> str:
    """Return what is wrong; where a pattern was not met, in the words of the field's description."""
    if "matching regex" not in what:
        return what
    fields = msgspec.json.schema(kind)["$defs"][kind.__name__]["properties"]
    description = fields.get(field, {}).get("description")
    return f"Expected {description}" if description else what


_ENCODER = msgspec.json.Encoder()


@cache
def _decoder(kind: type[Any]) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(kind)
