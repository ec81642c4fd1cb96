"""Strings and numbers of a schema, read into normal form: lengths, patterns, formats, bounds.

It knows no other types. Invariant: a node that is returned has at least one value.
"""

from __future__ import annotations

from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import TYPE_CHECKING, Any

from geminid.shape.faults import quoted
from geminid.shape.formats import format_pattern
from geminid.shape.nodes import Integer, Node, Number, Text
from geminid.shape.numbers import BOUND_MAX, integer_body, number_body
from geminid.shape.patterns import read_pattern
from geminid.shape.regex import within

if TYPE_CHECKING:
    from geminid.shape.json_schema import Reader

Schema = dict[str, Any]

_INT32 = (Decimal(-(2**31)), Decimal(2**31 - 1))
_STEP_MAX = 10**15


def read_text(reader: Reader, schema: Schema, path: str) -> Node | None:
    """Return the node of a string."""
    low, high = int(schema.get("minLength", 0)), schema.get("maxLength")
    high = None if high is None else int(high)
    if high is not None and high < low:
        reader.note(path, "minLength", "is greater than the greatest length.")
        return None
    regex = format_pattern(schema.get("format", ""))
    name = "format"
    if "pattern" in schema:
        if regex is not None:
            reader.note(path, "format", '"format" beside "pattern" cannot be enforced here.')
            return None
        name, parsed = "pattern", read_pattern(schema["pattern"])
        if isinstance(parsed, str):
            reader.note(path, "pattern", parsed)
            return None
        regex = parsed
    if regex is None:
        return Text(low, high)
    fitting = within(regex, low, high)
    if fitting is None:
        reader.note(path, name, f"{quoted(name)} beside bounds of the length cannot be enforced here.")
        return None
    return Text(pattern=fitting)


def read_number(reader: Reader, schema: Schema, path: str, *, whole: bool) -> Node | None:
    """Return the node of a number; ``whole`` means that its type is integer."""
    low, low_open = _stricter(schema, "minimum", "exclusiveMinimum", 1)
    high, high_open = _stricter(schema, "maximum", "exclusiveMaximum", -1)
    if whole and schema.get("format") == "int32":
        low, low_open = (low, low_open) if low is not None and low >= _INT32[0] else (_INT32[0], False)
        high, high_open = (high, high_open) if high is not None and high <= _INT32[1] else (_INT32[1], False)
    step = schema.get("multipleOf", 1)
    if not (step == step // 1 and step <= _STEP_MAX):
        reader.note(path, "multipleOf", "only multiples of whole numbers can be enforced here.")
        return None
    if whole or "multipleOf" in schema:
        node: Integer | Number = _integer(low, high, low_open, high_open, int(step))
    else:
        node = Number(low, high, low_open, high_open)
    body = integer_body(node) if isinstance(node, Integer) else number_body(node)
    if body is None:
        name = "multipleOf" if step > 1 else "minimum" if "minimum" in schema else "exclusiveMinimum"
        name = name if name in schema else "maximum" if "maximum" in schema else "exclusiveMaximum"
        reason = "no number of so few digits is within the bounds."
        if step > 1:
            reason = "cannot be enforced with these bounds."
        reader.note(path, name, reason)
        return None
    return node


def _stricter(schema: Schema, closed: str, opened: str, sign: int) -> tuple[Decimal | None, bool]:
    """Return the bound that leaves less, and whether it is open."""
    bounds = [(Decimal(repr(schema[name])), name == opened) for name in (closed, opened) if name in schema]
    return max(bounds, key=lambda bound: (sign * bound[0], bound[1]), default=(None, False))


def _integer(
    low: Decimal | None, high: Decimal | None, low_open: bool, high_open: bool, step: int
) -> Integer:
    least = None if low is None else _rounded(low, ROUND_CEILING)
    if least is not None and low_open and least == low:
        least += 1
    greatest = None if high is None else _rounded(high, ROUND_FLOOR)
    if greatest is not None and high_open and greatest == high:
        greatest -= 1
    # Bounds that are further away than any number that is written are the same as none.
    least = None if least is not None and least < -BOUND_MAX else least
    greatest = None if greatest is not None and greatest > BOUND_MAX else greatest
    return Integer(least, greatest, step)


def _rounded(bound: Decimal, rounding: str) -> int:
    return int(bound.to_integral_value(rounding))
