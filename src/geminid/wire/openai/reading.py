"""Bodies to messages: strict JSON, and for what is wrong the first mistake in OpenAI's words.

Well-formed bodies take the strict decoder alone. What that refuses is parsed again and walked along the
types of the message until the mistake is found. It knows no particular message. Invariant: a body is
walked to a mistake if and only if the strict decoder refuses it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Generic, TypeVar, cast

import msgspec
from msgspec import inspect

from geminid.wire.lenient import LEVELS_MAX, Json, check_free
from geminid.wire.openai import refused
from geminid.wire.openai.refused import NOT_JSON, Refused


class Message(msgspec.Struct, forbid_unknown_fields=True):
    """Base of every message: names as they are spelled on the wire; ``null`` is unsaid."""


M = TypeVar("M", bound=Message)
_ANY = msgspec.json.Decoder(Any)
_NESTED = f"The body is nested deeper than {LEVELS_MAX} levels."


class Reader(Generic[M]):
    """Reads bodies of one message type. Make it once; it keeps no state."""

    def __init__(self, message: type[M]) -> None:
        self._strict = msgspec.json.Decoder(message)
        self._type = inspect.type_info(message)

    def read(self, body: bytes) -> M:
        """Return the message that ``body`` spells; raises :class:`Refused`."""
        try:
            return self._strict.decode(body)
        except msgspec.ValidationError as error:
            told = str(error)
        except (ValueError, RecursionError):
            told = ""
        raise self.mistake(body) or Refused(told or NOT_JSON)

    def mistake(self, body: bytes) -> Refused | None:
        """Return the first mistake of a body, or None when there is none."""
        try:
            document = _ANY.decode(body)
            check_free(document)
        except RecursionError:
            return Refused(_NESTED)
        except msgspec.DecodeError:
            return Refused(NOT_JSON)
        except ValueError as error:
            return Refused(_NESTED if "deep" in str(error) else NOT_JSON)
        return _of(self._type, document, "")


def convert(message: type[M], value: Json, path: str) -> M:
    """Return an already parsed value as a message; raises :class:`Refused` with paths below ``path``."""
    try:
        return msgspec.convert(value, message)
    except msgspec.ValidationError as error:
        raise _of(inspect.type_info(message), value, path) or Refused(str(error), path) from None


def _of(kind: inspect.Type, value: Json, path: str) -> Refused | None:
    return _of_one(kind.types if isinstance(kind, inspect.UnionType) else (kind,), value, path)


def _of_one(kinds: Sequence[inspect.Type], value: Json, path: str) -> Refused | None:
    """Return what is wrong with a value that is to be of one of several kinds."""
    fitting = [kind for kind in kinds if _is_of(kind, value)]
    if not fitting:
        return refused.wrong_type(path or "body", _expected(kinds), value)
    kind = fitting[0]
    match kind:
        case inspect.StructType():
            structs = cast("Sequence[inspect.StructType]", fitting)
            return _of_struct(structs, value, path)
        case inspect.ListType():
            return _of_list(kind, value, path)
        case inspect.DictType():
            return _of_dict(kind, value, path)
        case inspect.LiteralType():
            values = [
                text for each in fitting if isinstance(each, inspect.LiteralType) for text in each.values
            ]
            return None if value in values else refused.wrong_value(path, value, [str(v) for v in values])
        case inspect.IntType():
            return _of_number(path, "integer", value, kind)
        case inspect.FloatType():
            return _of_number(path, "decimal", value, kind)
        case inspect.StrType():
            return _of_text(kind, value, path)
    return None


def _is_of(kind: inspect.Type, value: Json) -> bool:
    match kind:
        case inspect.AnyType():
            return True
        case inspect.NoneType():
            return value is None
        case inspect.BoolType():
            return isinstance(value, bool)
        case inspect.IntType():
            return isinstance(value, int) and not isinstance(value, bool)
        case inspect.FloatType():
            return isinstance(value, int | float) and not isinstance(value, bool)
        case inspect.StrType() | inspect.LiteralType():
            return isinstance(value, str)
        case inspect.ListType():
            return isinstance(value, list)
    return isinstance(value, dict)


_WORDS: dict[type[inspect.Type], str] = {
    inspect.BoolType: "a boolean",
    inspect.IntType: "an integer",
    inspect.FloatType: "a decimal",
    inspect.StrType: "a string",
    inspect.LiteralType: "a string",
    inspect.DictType: "an object",
    inspect.StructType: "an object",
}


def _expected(kinds: Sequence[inspect.Type]) -> str:
    words = list(
        dict.fromkeys(_expected_one(kind) for kind in kinds if not isinstance(kind, inspect.NoneType))
    )
    if len(words) == 1:
        return words[0]
    others = [word.partition(" ")[2] for word in words[1:]]
    return f"one of {words[0]} or {' or '.join(others)}"


def _expected_one(kind: inspect.Type) -> str:
    if not isinstance(kind, inspect.ListType):
        return _WORDS[type(kind)]
    item = kind.item_type
    kinds = item.types if isinstance(item, inspect.UnionType) else (item,)
    names = {_WORDS[type(each)].partition(" ")[2] for each in kinds if type(each) in _WORDS}
    return f"an array of {names.pop()}s" if len(names) == 1 else "an array"


def _of_struct(kinds: Sequence[inspect.StructType], value: dict[str, Json], path: str) -> Refused | None:
    kind = kinds[0]
    if kind.tag_field is not None:
        where = _at(path, kind.tag_field)
        tag = value.get(kind.tag_field)
        if tag is None:
            return refused.missing(where)
        if not isinstance(tag, str):
            return refused.wrong_type(where, "a string", tag)
        tagged = [each for each in kinds if each.tag == tag]
        if not tagged:
            return refused.wrong_value(where, tag, [str(each.tag) for each in kinds])
        kind = tagged[0]
    known = {field.encode_name for field in kind.fields} | {kind.tag_field}
    if strangers := [name for name in value if name not in known]:
        return refused.unknown(_at(path, strangers[0])) if path else refused.unrecognized(strangers)
    for field in kind.fields:
        where = _at(path, field.encode_name)
        if field.encode_name not in value:
            if field.required:
                return refused.missing(where)
        elif found := _of(field.type, value[field.encode_name], where):
            return found
    return None


def _of_list(kind: inspect.ListType, value: list[Json], path: str) -> Refused | None:
    if kind.min_length and not value:
        return refused.empty(path, "array", "an")
    if kind.max_length is not None and len(value) > kind.max_length:
        return refused.too_large(path, "array", "an", len(value), kind.max_length)
    found = (_of(kind.item_type, item, f"{path}[{index}]") for index, item in enumerate(value))
    return next((each for each in found if each is not None), None)


def _of_dict(kind: inspect.DictType, value: dict[str, Json], path: str) -> Refused | None:
    if kind.max_length is not None and len(value) > kind.max_length:
        return refused.too_many(path, len(value), kind.max_length)
    for name, item in value.items():
        where = _at(path, name)
        if found := _of(kind.key_type, name, where) or _of(kind.value_type, item, where):
            return found
    return None


def _of_number(
    path: str, word: str, value: float, kind: inspect.IntType | inspect.FloatType
) -> Refused | None:
    low, high = kind.ge, kind.le
    if (low is not None and value < low) or (high is not None and value > high):
        return refused.out_of_range(path, word, value, low, high)
    return None


def _of_text(kind: inspect.StrType, value: str, path: str) -> Refused | None:
    if kind.min_length and not value:
        return refused.empty(path, "string", "a")
    if kind.max_length is not None and len(value) > kind.max_length:
        return refused.too_large(path, "string", "a", len(value), kind.max_length)
    if kind.pattern is not None and not re.search(kind.pattern, value):
        return refused.no_match(path, kind.pattern)
    return None


def _at(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name
