"""Names of other houses' models, by family, that an operator may have mean the default model.

They are off unless ``catalog.families`` names them: who asks for such a name should know what answers. It
knows no wire.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from importlib import resources

from geminid.core.errors import FieldViolation, InvalidArgument


def families() -> dict[str, tuple[str, ...]]:
    """Return the names of every family."""
    text = resources.files("geminid.catalog").joinpath("families.toml").read_text(encoding="utf-8")
    return {family: tuple(table["names"]) for family, table in tomllib.loads(text).items()}


def names_of(wanted: Iterable[str]) -> tuple[str, ...]:
    """Return the names of some families; raises ``InvalidArgument`` for one that there is not."""
    known = families()
    names: dict[str, None] = {}
    for family in wanted:
        if family not in known:
            message = f"catalog.families: there is no family {family}; known are {', '.join(known)}"
            raise InvalidArgument(message, violations=(FieldViolation(message, "catalog.families"),))
        names |= dict.fromkeys(known[family])
    return tuple(names)
