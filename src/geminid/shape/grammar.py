"""From normal form to grammar.

``GrammarBuilder`` collects rules, so that one grammar can hold several schemas between fixed texts;
``compile_shape`` makes the grammar of one schema. Knows no dialect of schemas. Invariant: a grammar that
is handed out is well formed, has one rule for equal things, and fits the engine (``Size.fits``).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from geminid.shape.counting import between
from geminid.shape.ebnf import RULES_MAX, Size, TooLarge, literal, measure
from geminid.shape.faults import Fault
from geminid.shape.json_schema import read_json_schema
from geminid.shape.nodes import (
    Anything,
    Array,
    Constants,
    Integer,
    Node,
    Number,
    Object,
    Ref,
    Shape,
    Text,
    Union,
)
from geminid.shape.numbers import integer_body, number_body
from geminid.shape.objects import declared_body, free_body
from geminid.shape.strings import text_body

TOO_LARGE = Fault(
    "",
    "The specified schema produces a constraint that has too many states for serving. Typical causes of "
    "this error are schemas with lots of text (for example, very long property or enum names), schemas "
    "with long bounds of lengths, or schemas using complex patterns.",
)


class Compiled(NamedTuple):
    """A grammar for the engine and its size."""

    ebnf: str
    size: Size


class GrammarBuilder:
    """The rules of one grammar, under construction.

    Methods that return a rule's name raise TooLarge when there are more rules than an engine may have.
    """

    def __init__(self) -> None:
        self._bodies: dict[str, str] = {}
        self._names: dict[object, str] = {}
        self._pending: dict[str, str] = {}
        self._scope = 0

    def literal(self, text: str) -> str:
        """Return the notation of exactly ``text``."""
        return literal(text)

    def rule(self, body: str, hint: str = "rule") -> str:
        """Return the name of the rule with this ``body``; equal bodies are one rule."""
        return self._remembered(("body", body), hint, lambda _: body)

    def loop(self, body: Callable[[str], str], key: tuple[object, ...], hint: str = "loop") -> str:
        """Return the name of the rule whose ``body`` is made from its own name, once for each ``key``."""
        return self._remembered(("loop", *key), hint, body)

    def schema(self, schema: Shape | dict[str, Any]) -> str:
        """Return the name of the rule for a value of ``schema``.

        A schema that is not in normal form yet must be known to be sound; else ValueError is raised.
        """
        shape = schema if isinstance(schema, Shape) else _sound(schema)
        self._scope += 1
        name = self._value(Ref(""))
        # One after the other: definitions may refer to each other deeper than calls can nest.
        while self._pending:
            pointer, own = self._pending.popitem()
            self._bodies[own] = self._body(shape.definitions[pointer])
        return name

    def any_json(self) -> str:
        """Return the name of the rule for any object or array."""
        return self.rule(f"{self._value(Object(extra=Anything()))} | {self._value(_ANY_ARRAY)}", "json")

    def text(self, root: str) -> str:
        """Return the whole grammar, whose first rule has the body ``root``."""
        lines = [f"root ::= {root}", *(f"{name} ::= {body}" for name, body in self._bodies.items())]
        return "\n".join(lines) + "\n"

    def _remembered(self, key: object, hint: str, body: Callable[[str], str]) -> str:
        if key not in self._names:
            if len(self._names) >= RULES_MAX:
                raise TooLarge
            name = self._names[key] = f"{hint}_{len(self._names)}"
            self._bodies[name] = ""  # keeps the order of their first use
            self._bodies[name] = body(name)
        return self._names[key]

    def _value(self, node: Node) -> str:
        """Return the name of the rule for a value of ``node``."""
        if isinstance(node, Ref):
            return self.loop(
                lambda own: self._later(node.pointer, own), ("ref", self._scope, node.pointer), "def"
            )
        return self.rule(self._body(node), type(node).__name__.lower())

    def _later(self, pointer: str, own: str) -> str:
        self._pending[pointer] = own
        return ""

    def _body(self, node: Node) -> str:
        match node:
            case Anything():
                return self._anything()
            case Constants(texts):
                return " | ".join(literal(each) for each in texts)
            case Integer():
                return _certain(integer_body(node))
            case Number():
                return _certain(number_body(node))
            case Text():
                return text_body(self, node)
            case Array():
                return self._array(node)
            case Object():
                return self._object(node)
            case Union(options):
                return " | ".join(dict.fromkeys(self._value(each) for each in options))
            case Ref():
                return self._value(node)

    def _anything(self) -> str:
        def body(own: str) -> str:
            simple = [self._value(each) for each in (Text(), Number(), _WORDS)]
            member = free_body(self, Object(), self._value(Text()), own)
            rest = between(self, (f'", " {own}',), 0, None, '"]"')
            return " | ".join([*simple, member, f'"[]" | "[" {own} {rest}'])

        return self.loop(body, ("anything",), "any")

    def _array(self, node: Array) -> str:
        """Return the body of a list; it is made from its end."""
        high = node.length_max
        prefix = node.prefix if high is None else node.prefix[:high]
        tail = self._items(node, len(prefix))
        for index in reversed(range(len(prefix))):
            comma = '", " ' if index else ""
            element = f"{comma}{self._value(prefix[index])} {tail}"
            may_end = index >= node.length_min
            tail = self.rule(f'"]" | {element}' if may_end else element, "element")
        return f'"[" {tail}'

    def _items(self, node: Array, index: int) -> str:
        """Return the rule of what comes after the ``index`` elements that stand at fixed places."""
        end = '"]"'
        high = None if node.length_max is None else node.length_max - index
        if node.items is None or high == 0:
            return self.rule(end, "end")
        items = self._value(node.items)
        unit = (f'", " {items}',)
        low = max(node.length_min - index, 0)
        if index:
            return between(self, unit, low, high, end)
        # Only the first element of all has no comma before it.
        first = f"{items} {between(self, unit, max(low - 1, 0), None if high is None else high - 1, end)}"
        return self.rule(first if low else f"{end} | {first}", "items")

    def _object(self, node: Object) -> str:
        if node.properties:
            return declared_body(self, node, tuple(self._value(each.value) for each in node.properties))
        if node.extra is None:
            return '"{}"'
        return free_body(self, node, self._value(Text()), self._value(node.extra))


def compile_shape(shape: Shape) -> Compiled | Fault:
    """Return the grammar of ``shape``, or the fault that it has too many states."""
    builder = GrammarBuilder()
    try:
        text = builder.text(builder.schema(shape))
    except TooLarge:
        return TOO_LARGE
    return _fitting(text)


def any_json() -> Compiled:
    """Return the grammar of any JSON object or array."""
    builder = GrammarBuilder()
    text = builder.text(builder.any_json())
    return Compiled(text, measure(text))


def _fitting(text: str) -> Compiled | Fault:
    size = measure(text)
    return Compiled(text, size) if size.fits else TOO_LARGE


def _sound(schema: dict[str, Any]) -> Shape:
    shape, faults = read_json_schema(schema)
    if shape is None:
        raise ValueError(f"{faults[0].path}: {faults[0].reason}")
    return shape


def _certain(body: str | None) -> str:
    if body is None:
        raise AssertionError("a shape holds no number that does not exist")
    return body


_ANY_ARRAY = Array(items=Anything())
_WORDS = Constants(("true", "false", "null"))
