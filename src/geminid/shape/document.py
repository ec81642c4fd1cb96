"""A schema as the document that a caller sent: how large it may be, and what a ``$ref`` leads to.

It knows no keyword beside ``$ref`` and ``$id``. Invariant: nothing here recurses into a caller's
document, so that no nesting is too deep for it.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote

from geminid.shape.faults import element, member

NESTING_MAX = 100
VALUES_MAX = 50_000


def too_large(document: Any) -> str | None:
    """Return why ``document`` is not looked at any closer, or ``None``."""
    level, values = [document], 1
    for _ in range(NESTING_MAX):
        level = [child for value in level for child in _children(value)]
        values += len(level)
        if values > VALUES_MAX:
            return f"the schema has more than {VALUES_MAX:,} values."
        if not level:
            return None
    return f"the schema is nested deeper than {NESTING_MAX} levels."


def resolve(root: Any, ref: str) -> tuple[str, Any] | None:
    """Return the JSON pointer that ``ref`` means and what is there, or ``None`` when there is nothing.

    Only fragments are followed (RFC 6901), and those after the ``$id`` of the root.
    """
    own = root.get("$id") if isinstance(root, dict) else None
    if isinstance(own, str) and own and not own.startswith("#"):
        ref = ref.removeprefix(own.rstrip("#"))
    if not ref.startswith("#") and ref:
        return None
    pointer = ref[1:]
    if pointer and not pointer.startswith("/"):
        return None
    found = root
    for step in _steps(pointer):
        if isinstance(found, dict) and step in found:
            found = found[step]
        elif isinstance(found, list) and _is_index(step) and int(step) < len(found):
            found = found[int(step)]
        else:
            return None
        # Inside of another resource the same words mean something else.
        if isinstance(found, dict) and isinstance(found.get("$id"), str):
            return None
    return pointer, found


def path_of(pointer: str) -> str:
    """Return the path of what a JSON pointer leads to."""
    path = ""
    for step in _steps(pointer):
        path = element(path, int(step)) if _is_index(step) else member(path, step)
    return path


def _steps(pointer: str) -> list[str]:
    return [unquote(each).replace("~1", "/").replace("~0", "~") for each in pointer.split("/")[1:]]


def _is_index(step: str) -> bool:
    return step.isascii() and step.isdigit() and len(step) < 6


def _children(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []
