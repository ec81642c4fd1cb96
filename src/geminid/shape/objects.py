"""The grammar of objects: which members, in which order, and how many.

Properties come in their order and each optional one may be left out. A rule stands for "from this
property on, with so many members before", so that commas are right and sizes can be bounded; where sizes
say nothing, all that is kept is whether there was a member. Invariant: no member is written twice, and
the number of rules is linear in that of the properties where no size is bounded.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from geminid.shape.counting import Rules, between
from geminid.shape.ebnf import literal
from geminid.shape.nodes import Object

MEMBERS_COUNTED_MAX = 2_000


@dataclass(frozen=True, slots=True)
class Members:
    """An object's members as grammar: what each writes, and whether it must be there."""

    writings: tuple[str, ...]
    required: tuple[bool, ...]
    size_min: int
    size_max: int


def key(name: str) -> str:
    """Return the grammar of a member's name and the colon."""
    return literal(json.dumps(name, ensure_ascii=False) + ": ")


def counted_states(node: Object) -> int:
    """Return how many rules the properties of ``node`` take."""
    count = len(node.properties)
    return count * (_cap(count, *_bounds(node)) + 1)


def declared_body(rules: Rules, node: Object, values: tuple[str, ...]) -> str:
    """Return the body of an object with declared properties, whose values are the rules ``values``."""
    members = Members(
        tuple(f"{key(each.name)} {value}" for each, value in zip(node.properties, values, strict=True)),
        tuple(each.required for each in node.properties),
        *_bounds(node),
    )
    return f'"{{" {_tail(rules, members)}'


def free_body(rules: Rules, node: Object, name: str, value: str) -> str:
    """Return the body of an object with members of any ``name``, all of them a ``value``."""
    end = '"}"'
    if node.size_max == 0:
        return '"{}"'
    unit = (f'", " {name} ": " {value}',)
    low = max(node.size_min - 1, 0)
    rest = between(rules, unit, low, None if node.size_max is None else node.size_max - 1, end)
    some = f'"{{" {name} ": " {value} {rest}'
    return some if node.size_min > 0 else f'"{{}}" | {some}'


def _bounds(node: Object) -> tuple[int, int]:
    """Return the bounds of an object's size, those that say nothing as the widest that do."""
    required = sum(each.required for each in node.properties)
    count = len(node.properties)
    low = node.size_min if node.size_min > required else 0
    high = count if node.size_max is None else min(node.size_max, count)
    return low, high


def _cap(members: int, size_min: int, size_max: int) -> int:
    """Return up to which number members are told apart; without bounds, none and some."""
    return size_max if size_max < members else max(1, size_min)


def _tail(rules: Rules, members: Members) -> str:
    """Return the rule of all members and the closing brace, made from the end."""
    count = len(members.writings)
    cap = _cap(count, members.size_min, members.size_max)
    following = {
        have: rules.rule('"}"', "end")
        for have in range(cap + 1)
        if members.size_min <= have <= members.size_max
    }
    for index in reversed(range(count)):
        following = _from(rules, members, index, cap, following)
    return following[0]


def _from(rules: Rules, members: Members, index: int, cap: int, following: dict[int, str]) -> dict[int, str]:
    """Return the rules from the property ``index`` on, by the number of members before it."""
    found = {}
    for have in range(min(index, cap) + 1):
        options = []
        more = _after_one(members, have, cap)
        if more in following:
            comma = '", " ' if have else ""
            options.append(f"{comma}{members.writings[index]} {following[more]}")
        if not members.required[index] and have in following:
            options.append(following[have])
        if options:
            found[have] = rules.rule(" | ".join(options), "member")
    return found


def _after_one(members: Members, have: int, cap: int) -> int:
    if have < cap:
        return have + 1
    # At the cap of a bounded size there is no room left; elsewhere "as many" stays "as many".
    return -1 if members.size_max < len(members.writings) else cap
