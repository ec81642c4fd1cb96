"""What is wrong with a request, in the words of Anthropic's API, and bodies read to messages.

Paths are those of its errors: ``messages.0.content.1.type``. One mistake is told at a time, the first.
"""

from __future__ import annotations

import re
from typing import Any, TypeVar

import msgspec

from geminid.core.errors import FieldViolation, InvalidArgument
from geminid.wire.scalars import clip

NOT_JSON = "The request body is not valid JSON: {}"
NO_FIELD = "Extra inputs are not permitted"
NESTED = "The request body is nested too deep."

_AT = re.compile(r"(.*?)(?: - at `(.*)`)?", re.DOTALL)
_FIELD = re.compile(r"Object (contains unknown|missing required) field `(.*)`", re.DOTALL)
_TYPE = re.compile(r"Expected `(.*)`, got `.*`", re.DOTALL)
_BOUND = re.compile(r"Expected `.*` (>=|<=) (\S+)")
_STEP = re.compile(r"\[(\d+|\.\.\.)\]")
_KINDS = {
    "str": "a valid string",
    "int": "a valid integer",
    "float": "a valid number",
    "bool": "a valid boolean",
    "array": "a valid array",
    "object": "a valid object",
    "null": "null",
}
_BOUNDS = {">=": "greater than or equal to", "<=": "less than or equal to"}

M = TypeVar("M")


class Refused(InvalidArgument):
    """A mistake of the caller's at ``path``, empty for the whole body."""

    def __init__(self, path: str, message: str) -> None:
        told = f"{path}: {message}" if path else message
        super().__init__(told, violations=(FieldViolation(message, path),))
        self.path = path


def unsupported(path: str, reason: str = "") -> Refused:
    """Return the mistake of what this server knows and does not do."""
    return Refused(path, f"Not supported by this server. {reason}".rstrip())


class Reader:
    """Reads bodies of one message type. Make it once; it keeps no state."""

    def __init__(self, message: type[Any]) -> None:
        self._decoder = msgspec.json.Decoder(message)

    def read(self, body: bytes) -> Any:
        """Return the message that ``body`` spells; raises :class:`Refused`."""
        try:
            return self._decoder.decode(body)
        except msgspec.ValidationError as error:
            raise mistake(str(error)) from None
        except RecursionError:
            raise Refused("", NESTED) from None
        except ValueError as error:
            raise Refused("", NOT_JSON.format(error)) from None


def convert(message: type[M], value: object, path: str) -> M:
    """Return an already parsed value as a message; raises :class:`Refused` with paths below ``path``."""
    try:
        return msgspec.convert(value, message)
    except msgspec.ValidationError as error:
        raise mistake(str(error), path) from None


def mistake(told: str, below: str = "") -> Refused:
    """Return what a decoder refused, in the API's words."""
    found = _AT.fullmatch(told)
    assert found is not None  # the pattern fits any text
    what, path = found[1], _joined(below, _path(found[2] or ""))
    if field := _FIELD.fullmatch(what):
        words = NO_FIELD if field[1] == "contains unknown" else "Field required"
        return Refused(_joined(path, clip(field[2])), words)
    if kind := _TYPE.fullmatch(what):
        names = [_KINDS.get(name.strip(), name.strip()) for name in kind[1].split("|")]
        told = " or ".join(name for name in names if name != "null")
        return Refused(path, f"Input should be {told}")
    if bound := _BOUND.fullmatch(what):
        return Refused(path, f"Input should be {_BOUNDS[bound[1]]} {bound[2]}")
    return Refused(path, clip(what))


def _path(path: str) -> str:
    """Return a decoder's path, ``$.messages[0].content``, as the API writes it."""
    return _STEP.sub(r".\1", path.removeprefix("$")).lstrip(".")


def _joined(path: str, name: str) -> str:
    return f"{path}.{name}" if path and name else path or name
