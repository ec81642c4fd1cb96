"""What this server knows of the Messages API and does not do: tables, applied and printed.

A field is never dropped in silence: it is honoured, ignored where ``schema`` says so, served with less and
named in a header (``DOWNGRADES``), or refused here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import msgspec

from geminid.wire.anthropic.refused import unsupported
from geminid.wire.anthropic.schema import (
    CacheControl,
    Citations,
    CountRequest,
    MessagesRequest,
    Transformations,
)


class Refusal(NamedTuple):
    """One refused field. harmless: tells the values that ask for nothing; accepted: those in words."""

    field: str
    reason: str
    harmless: Callable[[Any], bool]
    accepted: str = "null"


class Downgrade(NamedTuple):
    """One field that is served with less than was asked for. asks: tells the requests that ask for more."""

    field: str
    told: str
    asks: Callable[[CountRequest], bool]


def _never(value: object) -> bool:
    return False


REFUSALS: tuple[Refusal, ...] = (
    Refusal("container", "Nothing is run here.", _never),
    Refusal("context_management", "", lambda value: not value.get("edits"), "null, no edits"),
    Refusal("mcp_servers", "", lambda value: not value, "null, an empty list"),
    Refusal("diagnostics", "", lambda value: not any(value.values()), "null, nothing asked"),
    Refusal("inference_geo", "", lambda value: value == "global", "null, global"),
)


def _holds(kind: type[msgspec.Struct]) -> Callable[[CountRequest], bool]:
    return lambda message: any(isinstance(each, kind) for each in _structs(message))


def _cites(message: CountRequest) -> bool:
    return any(isinstance(each, Citations) and bool(each.enabled) for each in _structs(message))


def _stops(message: CountRequest) -> bool:
    return isinstance(message, MessagesRequest) and bool(message.stop_sequences)


def _resizes_not(message: CountRequest) -> bool:
    return any(
        isinstance(each, Transformations) and each.oversized_image == "error" for each in _structs(message)
    )


def _fast(message: CountRequest) -> bool:
    return isinstance(message, MessagesRequest) and message.speed == "fast"


def _effort(message: CountRequest) -> bool:
    return message.output_config is not None and message.output_config.effort in ("xhigh", "max")


DOWNGRADES: tuple[Downgrade, ...] = (
    Downgrade("cache_control", "implicit", _holds(CacheControl)),
    Downgrade("citations", "none", _cites),
    Downgrade("stop_sequences", "told-as-end_turn", _stops),
    Downgrade("output_config.effort", "high", _effort),
    Downgrade("speed", "standard", _fast),
    Downgrade("transformations.oversized_image", "downsize", _resizes_not),
)


def check_supported(message: CountRequest) -> None:
    """Raise :class:`~geminid.wire.anthropic.refused.Refused` for the first field that is not served."""
    for row in REFUSALS:
        value = getattr(message, row.field, None)
        if value is not None and not row.harmless(value):
            raise unsupported(row.field, row.reason)


def downgrades_of(message: CountRequest) -> list[str]:
    """Return what is served with less than was asked for."""
    return [f"{row.field}={row.told}" for row in DOWNGRADES if row.asks(message)]


def _structs(value: object) -> Iterator[msgspec.Struct]:
    """Yield a message and every message in it."""
    if isinstance(value, msgspec.Struct):
        yield value
        for name in value.__struct_fields__:
            yield from _structs(getattr(value, name))
    elif isinstance(value, list):
        for each in value:
            yield from _structs(each)
