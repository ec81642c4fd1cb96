"""Names of other houses' models, by family, that an operator may have mean the default model.

Names of models that embed mean the default one of those; a family has the one or the other. They are off
unless ``catalog.families`` names them: who asks for such a name should know what answers. It knows no wire.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from importlib import resources
from typing import NamedTuple

from geminid.core.errors import FieldViolation, InvalidArgument


class Family(NamedTuple):
    """Names. embeds: whether they are of models that embed."""

    names: tuple[str, ...]
    embeds: bool = False


def families() -> dict[str, Family]:
    """Return every family."""
    text = resources.files("geminid.catalog").joinpath("families.toml").read_text(encoding="utf-8")
    tables = tomllib.loads(text).items()
    return {family: Family(tuple(table["names"]), table.get("embeds", False)) for family, table in tables}


def names_of(wanted: Iterable[str], *, embeds: bool = False) -> tuple[str, ...]:
    """Return the names of some families, of those that embed or of the others.

    Raises ``InvalidArgument`` for a family that there is not.
    """
    known = families()
    names: dict[str, None] = {}
    for family in wanted:
        if family not in known:
            message = f"catalog.families: there is no family {family}; known are {', '.join(known)}"
            raise InvalidArgument(message, violations=(FieldViolation(message, "catalog.families"),))
        if known[family].embeds == embeds:
            names |= dict.fromkeys(known[family].names)
    return tuple(names)
