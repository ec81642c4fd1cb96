"""``pattern``: the regular expressions of JSON Schema, read into trees.

A pattern is a search: where it is not anchored, anything may stand beside it. Python's own parser reads
it, and where Python and ECMA-262 disagree (Unicode in ``\\d \\w \\s``, what ``.`` leaves out) only what
both accept is generated. What no grammar can do is refused. Invariant: reading never raises and the tree
is bounded.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable
from re import _constants as sre  # type: ignore[attr-defined]
from re import _parser as sre_parser  # type: ignore[attr-defined]
from typing import Any

from geminid.shape.charset import ALL, Ranges, complement, intersection, of, union
from geminid.shape.regex import EMPTY, Chars, Choice, Regex, Repeat, Sequence, repeat, states

PATTERN_CHARS_MAX = 1_000
STATES_MAX = 2_000

_DIGIT = ((0x30, 0x39),)
_WORD = union(_DIGIT, ((0x41, 0x5A), (0x61, 0x7A)), of("_"))
_SPACE = of(" \t\n\r\f")
_ASCII = ((0, 0x7F),)
# No digit of any script is in these two blocks of Unicode.
_NO_DIGITS = ((0x80, 0x65F), (0x3000, 0xA61F))
_ANY_SPACE = union(
    of("\x0b\x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000\ufeff"),
    *(_SPACE, ((0x2000, 0x200A), (0x1C, 0x1F))),
)
_CATEGORIES: dict[Any, Ranges] = {
    sre.CATEGORY_DIGIT: _DIGIT,
    sre.CATEGORY_WORD: _WORD,
    sre.CATEGORY_SPACE: _SPACE,
    sre.CATEGORY_NOT_DIGIT: intersection(complement(_DIGIT), union(_ASCII, _NO_DIGITS)),
    sre.CATEGORY_NOT_WORD: intersection(complement(_WORD), _ASCII),
    sre.CATEGORY_NOT_SPACE: complement(_ANY_SPACE),
}
_OPPOSITE = {
    sre.CATEGORY_DIGIT: sre.CATEGORY_NOT_DIGIT,
    sre.CATEGORY_WORD: sre.CATEGORY_NOT_WORD,
    sre.CATEGORY_SPACE: sre.CATEGORY_NOT_SPACE,
    sre.CATEGORY_NOT_DIGIT: sre.CATEGORY_DIGIT,
    sre.CATEGORY_NOT_WORD: sre.CATEGORY_WORD,
    sre.CATEGORY_NOT_SPACE: sre.CATEGORY_SPACE,
}
_ANY = complement(of("\n\r\u2028\u2029"))
_ANYTHING = Repeat(Chars(ALL), 0, None)
_BEGIN = (sre.AT_BEGINNING, sre.AT_BEGINNING_STRING)
_END = (sre.AT_END, sre.AT_END_STRING)
_UNSUPPORTED = {
    sre.ASSERT: "lookaround",
    sre.ASSERT_NOT: "lookaround",
    sre.AT: "an anchor or boundary inside of the pattern",
    sre.GROUPREF: "a back-reference",
    sre.GROUPREF_EXISTS: "a conditional group",
    sre.ATOMIC_GROUP: "an atomic group",
    sre.POSSESSIVE_REPEAT: "a possessive quantifier",
}


class _Refused(Exception):
    """A part of a pattern cannot be enforced; the message says which."""


def read_pattern(pattern: str) -> Regex | str:
    """Return the tree of ``pattern``, or the reason why it is refused."""
    if len(pattern) > PATTERN_CHARS_MAX:
        return f"a pattern of more than {PATTERN_CHARS_MAX} characters is not supported."
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            parsed = sre_parser.parse(pattern)
            # A flag changes what everything else means; case folding is not ours to do.
            if parsed.state.flags & ~re.UNICODE:
                raise _Refused("flags")
            tree = _sequence(list(parsed), open_left=True, open_right=True, outermost=True)
    except _Refused as error:
        return f"{error} cannot be enforced here."
    except (re.error, RecursionError, OverflowError, ValueError) as error:
        return f"not a regular expression: {error}."
    if states(tree) > STATES_MAX:
        return "the pattern has too many states."
    return tree


def _sequence(
    items: list[Any], *, open_left: bool = False, open_right: bool = False, outermost: bool = False
) -> Regex:
    """Return the tree of ``items``; an open side that is not anchored admits anything beside it.

    ``outermost`` says that the sides of the whole pattern are the sides of these items.
    """
    left = right = outermost
    while left and items and items[0][0] is sre.AT and items[0][1] in _BEGIN:
        open_left, items = False, items[1:]
    while right and items and items[-1][0] is sre.AT and items[-1][1] in _END:
        open_right, items = False, items[:-1]
    if outermost and len(items) == 1 and items[0][0] in (sre.SUBPATTERN, sre.BRANCH):
        return _group(items[0], open_left=open_left, open_right=open_right)
    parts = [_item(*each) for each in items]
    before = (_ANYTHING,) if open_left else ()
    after = (_ANYTHING,) if open_right and (items or not open_left) else ()
    return _joined((*before, *parts, *after))


def _group(item: tuple[Any, Any], *, open_left: bool, open_right: bool) -> Regex:
    """Return the tree of a group that is the whole pattern: each of its options has its own anchors."""
    code, argument = item
    sides: dict[str, bool] = {"open_left": open_left, "open_right": open_right, "outermost": True}
    if code is sre.SUBPATTERN:
        _refuse_flags(argument)
        return _sequence(list(argument[3]), **sides)
    return Choice(tuple(_sequence(list(each), **sides) for each in argument[1]))


def _item(code: Any, argument: Any) -> Regex:
    if code in _UNSUPPORTED:
        raise _Refused(_UNSUPPORTED[code])
    reader = _READERS.get(code)
    if reader is None:
        raise _Refused(str(code).lower())
    return reader(argument)


def _subpattern(argument: Any) -> Regex:
    _refuse_flags(argument)
    return _sequence(list(argument[3]))


def _refuse_flags(argument: Any) -> None:
    if argument[1] or argument[2]:
        raise _Refused("flags")


def _branch(argument: Any) -> Regex:
    return Choice(tuple(_sequence(list(each)) for each in argument[1]))


def _repeat(argument: Any) -> Regex:
    low, high, part = argument
    tree = repeat(_sequence(list(part)), int(low), None if high is sre.MAXREPEAT else int(high))
    if states(tree) > STATES_MAX:
        raise _Refused("so large a repetition")
    return tree


def _set(argument: Any) -> Regex:
    negated = bool(argument) and argument[0][0] is sre.NEGATE
    members = argument[1:] if negated else argument
    if not negated:
        return _chars(union(*(_member(code, value) for code, value in members)))
    ranges: Ranges = complement(())
    for code, value in members:
        if code is sre.CATEGORY:
            ranges = intersection(ranges, _category(_OPPOSITE.get(value)))
        else:
            ranges = intersection(ranges, complement(_member(code, value)))
    return _chars(ranges)


def _member(code: Any, value: Any) -> Ranges:
    if code is sre.CATEGORY:
        return _category(value)
    low, high = value if code is sre.RANGE else (value, value)
    return ((low, high),)


def _category(category: Any) -> Ranges:
    if category not in _CATEGORIES:
        raise _Refused("this class of characters")
    return _CATEGORIES[category]


def _chars(ranges: Ranges) -> Regex:
    allowed = intersection(ranges, ALL)
    if not allowed:
        raise _Refused("a control character")
    return Chars(allowed)


def _joined(parts: tuple[Regex, ...]) -> Regex:
    flat: list[Regex] = []
    for each in parts:
        flat.extend(each.parts if isinstance(each, Sequence) else (each,))
    return EMPTY if not flat else flat[0] if len(flat) == 1 else Sequence(tuple(flat))


_READERS: dict[Any, Callable[[Any], Regex]] = {
    sre.LITERAL: lambda code: _chars(((code, code),)),
    sre.NOT_LITERAL: lambda code: _chars(complement(((code, code),))),
    sre.ANY: lambda _: _chars(_ANY),
    sre.IN: _set,
    sre.SUBPATTERN: _subpattern,
    sre.BRANCH: _branch,
    sre.MAX_REPEAT: _repeat,
    sre.MIN_REPEAT: _repeat,
}
