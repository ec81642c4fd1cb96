"""The grammar of strings: their characters, their lengths and their patterns.

Every rule ends with the rule that goes on, so that a pattern becomes an automaton and a string never
costs more than a step for each character. Invariant: a length counts code points, as JSON Schema does.
"""

from __future__ import annotations

from geminid.shape.charset import ALL, of, spellings, union
from geminid.shape.counting import Rules, Unit, between
from geminid.shape.ebnf import literal
from geminid.shape.nodes import Text
from geminid.shape.regex import Chars, Choice, Regex, Repeat, Sequence

_QUOTE = literal('"')
# Models write a slash in both ways.
_ANY_CHARACTER: Unit = tuple(
    each.replace('"\\\\" [', '"\\\\" [/') if each.startswith('"') else each for each in spellings(ALL)
)


def text_body(rules: Rules, text: Text) -> str:
    """Return the body of a string."""
    if text.pattern is None:
        rest = between(rules, _ANY_CHARACTER, text.length_min, text.length_max, _QUOTE)
    else:
        rest = _named(rules, _followed(rules, text.pattern, rules.rule(_QUOTE, "end")))
    return f"{_QUOTE} {rest}"


def _followed(rules: Rules, regex: Regex, following: str) -> list[str]:
    """Return the grammar of ``regex`` and then the rule ``following``, as alternatives."""
    match regex:
        case Chars(ranges):
            return [f"{each} {following}" for each in _unit(ranges)]
        case Choice(options):
            found = [each for option in options for each in _followed(rules, option, following)]
            return list(dict.fromkeys(found))
        case Sequence(parts):
            return _in_order(rules, parts, following)
        case Repeat(Chars(ranges), low, high):
            return [between(rules, _unit(ranges), low, high, following)]
        case Repeat(part, low, high):
            return [_repeated(rules, part, low, high, following)]


def _in_order(rules: Rules, parts: tuple[Regex, ...], following: str) -> list[str]:
    found = [following]
    for part in reversed(parts):
        found = _followed(rules, part, _named(rules, found))
    return found


def _repeated(rules: Rules, part: Regex, low: int, high: int | None, following: str) -> str:
    def again(own: str) -> str:
        return " | ".join([following, *_followed(rules, part, own)])

    if high is None:
        name = rules.loop(again, ("part", part, following), "rest")
    else:
        name = following
        for _ in range(high - low):
            name = rules.rule(again(name), "upto")
    for _ in range(low):
        name = _named(rules, _followed(rules, part, name))
    return name


def _named(rules: Rules, alternatives: list[str]) -> str:
    """Return one name for ``alternatives``."""
    if len(alternatives) == 1 and alternatives[0].isidentifier():
        return alternatives[0]
    return rules.rule(" | ".join(alternatives), "text")


def _unit(ranges: tuple[tuple[int, int], ...]) -> Unit:
    return _ANY_CHARACTER if union(ranges, of("/")) == ALL == ranges else spellings(ranges)
