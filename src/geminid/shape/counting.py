"""So many of something, and then an end: grammars that count.

The engine decodes fastest where a rule ends with the rule that goes on (a repetition of a rule costs
half of the throughput), and compiles in time proportional to the number of places where a text may go
on. So short counts are chains of rules, and long ones chains of shared blocks: 100,000 characters take
as many open places as 64. Invariant: the number of rules grows with the logarithm of the count.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

DIRECT_MAX = 64
_BLOCK = 32

Unit = tuple[str, ...]
"""One of the things to count, as alternatives; each can be followed by the name of a rule."""


class Rules(Protocol):
    """Where rules are written down."""

    def rule(self, body: str, hint: str) -> str:
        """Return the name of the rule with this body, the same for the same body."""

    def loop(self, body: Callable[[str], str], key: tuple[object, ...], hint: str) -> str:
        """Return the name of a rule whose body holds its own name, the same for the same key."""


def then(unit: Unit, following: str) -> str:
    """Return one ``unit`` and what follows it."""
    return " | ".join(f"{each} {following}" for each in unit)


def between(rules: Rules, unit: Unit, low: int, high: int | None, end: str) -> str:
    """Return the rule of at least ``low`` and at most ``high`` units (``None``: any number), then ``end``."""
    tail = _any_number(rules, unit, end) if high is None else _at_most(rules, unit, high - low, end)
    return _exactly(rules, unit, low, tail)


def _any_number(rules: Rules, unit: Unit, end: str) -> str:
    return rules.loop(lambda own: f"{end} | {then(unit, own)}", ("any", unit, end), "rest")


def _at_most(rules: Rules, unit: Unit, count: int, end: str) -> str:
    if count <= DIRECT_MAX:
        name = rules.rule(end, "end")
        for _ in range(count):
            name = rules.rule(f"{end} | {then(unit, name)}", "upto")
        return name
    size = _largest_block(count)
    blocks, over = divmod(count, size)
    fewer = _at_most(rules, unit, size - 1, end)
    block = _block(rules, unit, size)
    name = _at_most(rules, unit, over, end)
    for _ in range(blocks):
        name = rules.rule(f"{fewer} | {block} {name}", "upto")
    return name


def _exactly(rules: Rules, unit: Unit, count: int, tail: str) -> str:
    if count <= DIRECT_MAX:
        for _ in range(count):
            tail = rules.rule(then(unit, tail), "next")
        return tail
    size = _largest_block(count)
    blocks, over = divmod(count, size)
    if 0 < over < _BLOCK:
        tail = rules.rule(f"{_block(rules, unit, over)} {tail}", "next")
    else:
        tail = _exactly(rules, unit, over, tail)
    block = _block(rules, unit, size)
    for _ in range(blocks):
        tail = rules.rule(f"{block} {tail}", "next")
    return tail


def _block(rules: Rules, unit: Unit, size: int) -> str:
    """Return the rule of ``size`` units, up to a block or a power of it, with nothing after them."""
    if size > _BLOCK:
        part = _block(rules, unit, size // _BLOCK)
        return rules.rule(" ".join([part] * _BLOCK), "block")
    name = rules.rule(" | ".join(unit), "block")
    for _ in range(size - 1):
        name = rules.rule(then(unit, name), "block")
    return name


def _largest_block(count: int) -> int:
    size = _BLOCK
    while size * _BLOCK <= count:
        size *= _BLOCK
    return size
