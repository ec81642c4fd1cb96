"""The normal form of a schema: what is left when every keyword has been read and checked.

It knows neither the dialect that it came from nor the grammar that it becomes. Invariant: a ``Shape``
admits at least one finite value, refers only to definitions that it has, and every node can be enforced.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from geminid.shape.regex import Regex


@dataclass(frozen=True, slots=True)
class Anything:
    """Any JSON value."""


@dataclass(frozen=True, slots=True)
class Constants:
    """One of some values. ``texts`` is how they are written in JSON."""

    texts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Integer:
    """A whole number that is a multiple of ``step``. ``None`` means no bound."""

    low: int | None = None
    high: int | None = None
    step: int = 1


@dataclass(frozen=True, slots=True)
class Number:
    """A number. ``None`` means no bound; a bound that is ``open`` is not itself allowed."""

    low: Decimal | None = None
    high: Decimal | None = None
    low_open: bool = False
    high_open: bool = False


@dataclass(frozen=True, slots=True)
class Text:
    """A string of so many code points; where there is a ``pattern``, it knows the lengths itself."""

    length_min: int = 0
    length_max: int | None = None
    pattern: Regex | None = None


@dataclass(frozen=True, slots=True)
class Array:
    """A list: first ``prefix``, one after the other, then ``items``; ``None`` means none of these."""

    prefix: tuple[Node, ...] = ()
    items: Node | None = None
    length_min: int = 0
    length_max: int | None = None


@dataclass(frozen=True, slots=True)
class Property:
    """A member of an object."""

    name: str
    value: Node
    required: bool


@dataclass(frozen=True, slots=True)
class Object:
    """An object with ``properties`` in this order; where there are none, with members of any name."""

    properties: tuple[Property, ...] = ()
    extra: Node | None = None
    size_min: int = 0
    size_max: int | None = None


@dataclass(frozen=True, slots=True)
class Union:
    """A value of one of the options."""

    options: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Ref:
    """A value of the definition at ``pointer``, a JSON pointer from the schema's root."""

    pointer: str


Node = Anything | Constants | Integer | Number | Text | Array | Object | Union | Ref

NULL = Constants(("null",))
BOOLEAN = Constants(("true", "false"))


@dataclass(frozen=True, slots=True)
class Shape:
    """A whole schema. ``definitions`` are the nodes by pointer; that of the root is empty."""

    definitions: dict[str, Node]

    @property
    def root(self) -> Node:
        """What the whole value is."""
        return self.definitions[""]
