"""Filters by attributes of files, as searches have them: to core's words.

They nest, which no schema of this wire's says, so they are read by hand. Invariant: a filter comes out whole
or is refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, get_args

from geminid.core.vector import Attribute, Compare, CompareOp, Every, Filter, Some
from geminid.wire.openai import refused
from geminid.wire.openai.refused import Refused

OPS: tuple[str, ...] = get_args(CompareOp)
COMPOUND: dict[str, type[Every] | type[Some]] = {"and": Every, "or": Some}
LISTS = ("in", "nin")
LEVELS_MAX = 8
FILTERS_MAX = 64


def read_filter(said: Any, path: str, level: int = 0) -> Filter | None:
    """Return a filter, None where there is none; raises :class:`~geminid.wire.openai.refused.Refused`."""
    if said is None:
        return None
    if not isinstance(said, dict):
        raise refused.wrong_type(path, "an object", said)
    if level >= LEVELS_MAX:
        raise Refused(f"Invalid '{path}': filters are nested too deep.", path, refused.INVALID_VALUE)
    if not said:
        return None
    kind = said.get("type")
    if kind is None:
        raise refused.missing(f"{path}.type")
    if kind in COMPOUND:
        return _compound(said, path, level)
    if kind not in OPS:
        raise refused.wrong_value(f"{path}.type", kind, (*OPS, *COMPOUND))
    return _compare(said, path)


def _compound(said: dict[str, Any], path: str, level: int) -> Filter:
    _only(said, ("type", "filters"), path)
    where, inner = f"{path}.filters", said.get("filters")
    if inner is None:
        raise refused.missing(where)
    if not isinstance(inner, list):
        raise refused.wrong_type(where, "an array of objects", inner)
    if len(inner) > FILTERS_MAX:
        raise refused.too_large(where, "array", "an", len(inner), FILTERS_MAX)
    read = (read_filter(each, f"{where}[{index}]", level + 1) for index, each in enumerate(inner))
    return COMPOUND[said["type"]](tuple(each for each in read if each is not None))


def _compare(said: dict[str, Any], path: str) -> Filter:
    _only(said, ("type", "key", "value"), path)
    for name in ("key", "value"):
        if said.get(name) is None:
            raise refused.missing(f"{path}.{name}")
    if not isinstance(said["key"], str):
        raise refused.wrong_type(f"{path}.key", "a string", said["key"])
    value, where = said["value"], f"{path}.value"
    if said["type"] not in LISTS:
        return Compare(said["key"], said["type"], _attribute(value, where))
    if not isinstance(value, list):
        raise refused.wrong_type(where, "an array", value)
    return Compare(
        said["key"], said["type"], tuple(_attribute(each, f"{where}[{n}]") for n, each in enumerate(value))
    )


def _attribute(value: Any, path: str) -> Attribute:
    if isinstance(value, bool | str):
        return value
    if isinstance(value, int | float):
        return float(value)
    raise refused.wrong_type(path, "one of a string or decimal or boolean", value)


def _only(said: dict[str, Any], names: Sequence[str], path: str) -> None:
    for name in said:
        if name not in names:
            raise refused.unknown(f"{path}.{name}")
