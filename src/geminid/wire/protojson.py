"""Lenient proto3-JSON to msgspec Structs: the dialect in which clients really write.

Well-spelled documents take the strict decoder. Only what that refuses is walked by a reader made from
the Struct types, which takes both spellings of names, numbers as strings, ``null`` as absent, both
base64 alphabets, enums in any case or by number, and one object where a list is due. It knows no
particular message. Invariant: a document that the strict decoder takes reads the same on both ways.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Generic, TypeVar, cast

import msgspec
from msgspec import inspect

from geminid.core.errors import InvalidArgument
from geminid.wire import lenient, scalars
from geminid.wire.lenient import Json
from geminid.wire.scalars import Faults, Read


class Message(msgspec.Struct, forbid_unknown_fields=True, rename="camel", omit_defaults=True, kw_only=True):
    """Base of every message: camelCase on the wire, unset fields unsaid.

    ONEOFS: groups of which at most one field may be set, by the group's name.
    ALIASES: further names that a field is sent under.
    """

    ONEOFS: ClassVar[Mapping[str, tuple[str, ...]]] = {}
    ALIASES: ClassVar[Mapping[str, str]] = {}


class FreeForm:
    """Any JSON value, kept as it was sent: names untouched, order preserved."""

    __slots__ = ("value",)

    def __init__(self, value: Json) -> None:
        self.value = value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, FreeForm) and self.value == other.value

    def __hash__(self) -> int:
        raise TypeError("unhashable type: 'FreeForm'")

    def __repr__(self) -> str:
        return f"FreeForm({self.value!r})"


M = TypeVar("M", bound=Message)


class Reader(Generic[M]):
    """Reads bodies of one message type. Make it once; it is reusable and keeps no state."""

    def __init__(self, message: type[M]) -> None:
        self._kind = message
        self._strict = msgspec.json.Decoder(message, dec_hook=_read_free)
        self._message = _Plans().message(message)

    def read(self, body: bytes) -> M:
        """Return the message that ``body`` spells.

        Raises InvalidArgument in Google's words, with one violation for each field that is unknown or
        of the wrong type, paths in snake_case.
        """
        try:
            return self._strict.decode(body)
        except (ValueError, RecursionError):
            pass  # the lenient reader accepts it or words the error; neither has this one as its context
        return self.read_lenient(body)

    def read_lenient(self, body: bytes) -> M:
        """Read without the strict decoder: the same message, or the error in Google's words."""
        document = lenient.parse(body)
        faults = Faults()
        if not isinstance(document, dict):
            faults.add("", 'Invalid JSON payload received. Unknown name "": Root element must be a message.')
        message = self._message(document, "", faults)
        if faults.violations:
            violations = tuple(faults.violations)
            raise InvalidArgument("\n".join(v.description for v in violations), violations=violations)
        return cast("M", message)

    def read_value(self, value: Json, path: str, faults: Faults) -> M | None:
        """Return an already parsed value as a message; what is wrong is noted, with paths below ``path``."""
        try:
            return msgspec.convert(value, self._kind, dec_hook=_read_free)
        except (ValueError, RecursionError):
            return cast("M | None", self._message(value, path, faults))


def _read_free(kind: type, value: Json) -> object:
    lenient.check_free(value)
    return kind(value)


class _Plans:
    """Turns types into functions that read them, one for each message type."""

    def __init__(self) -> None:
        self._messages: dict[type, _MessageRead] = {}

    def message(self, kind: type) -> _MessageRead:
        if kind not in self._messages:
            plan = self._messages[kind] = _MessageRead(kind)  # before its fields: types may be recursive
            plan.learn(self)
        return self._messages[kind]

    def read_of(self, kind: inspect.Type) -> Read:
        match kind:
            case inspect.UnionType():
                return self.read_of(next(t for t in kind.types if not isinstance(t, inspect.NoneType)))
            case inspect.StructType():
                return self.message(kind.cls)
            case inspect.ListType():
                return _read_list(self.read_of(kind.item_type))
            case inspect.DictType():
                return _read_map(self.read_of(kind.value_type))
            case inspect.EnumType():
                return scalars.read_enum(kind.cls)
            case inspect.IntType():
                return scalars.READ_INT32 if kind.le == scalars.INT32_MAX else scalars.READ_INT64
            case inspect.CustomType():
                return _read_free_form
            case _:
                return scalars.READS[type(kind)]


class _MessageRead:
    """Reads one message type from a Python dict."""

    def __init__(self, kind: type) -> None:
        self._kind = kind
        self._fields: dict[str, tuple[str, str, Read]] = {}
        self._group_of: dict[str, str] = {}

    def learn(self, plans: _Plans) -> None:
        info = inspect.type_info(self._kind)
        assert isinstance(info, inspect.StructType)
        for field in info.fields:
            self._fields[field.name] = self._fields[field.encode_name] = (
                field.name,
                field.encode_name,
                plans.read_of(field.type),
            )
        for alias, name in getattr(self._kind, "ALIASES", {}).items():
            self._fields[alias] = self._fields[name]
        for group, names in getattr(self._kind, "ONEOFS", {}).items():
            self._group_of |= dict.fromkeys(names, group)

    def __call__(self, value: Json, path: str, faults: Faults) -> object:
        if not isinstance(value, dict):
            faults.wrong_message(path, self._kind.__name__, value)
            return None
        said: dict[str, Any] = {}
        groups: set[str] = set()
        for key, item in value.items():
            if key not in self._fields:
                faults.unknown(path, key)
            elif item is not None:
                self._take(said, groups, key, item, path, faults)
        return self._kind(**said)

    def _take(
        self, said: dict[str, Any], groups: set[str], key: str, item: Json, path: str, faults: Faults
    ) -> None:
        name, camel, read = self._fields[key]
        group = self._group_of.get(name)
        if name in said:
            faults.twice(path, camel)
        elif group in groups:
            faults.already_set(path, str(group), camel)
        else:
            said[name] = read(item, f"{path}.{name}" if path else name, faults)
            if group is not None:
                groups.add(group)


def _read_list(read_item: Read) -> Read:
    def read(value: Json, path: str, faults: Faults) -> list[Any]:
        items = value if isinstance(value, list) else [value]
        # Millions of wrong items must not take seconds only to tell of the first fifty.
        numbered = enumerate(items)
        return [read_item(item, f"{path}[{index}]", faults) for index, item in numbered if not faults.full]

    return read


def _read_map(read_value: Read) -> Read:
    def read(value: Json, path: str, faults: Faults) -> dict[str, Any]:
        if isinstance(value, dict):
            return {
                key: read_value(item, f"{path}.{scalars.clip(key)}", faults)
                for key, item in value.items()
                if not faults.full
            }
        faults.wrong(path, "Map", value)
        return {}

    return read


def _read_free_form(value: Json, path: str, faults: Faults) -> FreeForm:
    try:
        lenient.check_free(value)
    except ValueError as error:
        faults.add(path, f"Invalid value at '{path}': {error}.")
    return FreeForm(value)
