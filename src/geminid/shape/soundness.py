"""Whether definitions that refer to each other describe anything.

It knows nodes only. Invariant: definitions without a finding here have a finite value, and writing one
begins with a character before it comes to itself again.
"""

from __future__ import annotations

from collections.abc import Iterator

from geminid.shape.nodes import Array, Node, Object, Ref, Union


def endless(definitions: dict[str, Node]) -> list[str]:
    """Return the pointers of definitions that have no finite value."""
    finite: set[str] = set()
    pending = list(definitions)
    while True:
        # Back and forth, since a chain of definitions is settled in one pass along it.
        left = [each for each in reversed(pending) if not _settled(each, definitions, finite)]
        if len(left) == len(pending):
            return left
        pending = left


def circular(definitions: dict[str, Node]) -> list[str]:
    """Return the pointers of definitions that come to themselves before any character."""
    state: dict[str, bool] = {}
    found = []
    for start in definitions:
        pending = [(start, False)]
        while pending:
            pointer, left = pending.pop()
            if left:
                state[pointer] = True
            elif pointer not in state:
                state[pointer] = False
                pending.append((pointer, True))
                pending += [(each, False) for each in _beginnings(definitions[pointer])]
            elif not state[pointer]:
                found.append(pointer)
    return list(dict.fromkeys(found))


def _settled(pointer: str, definitions: dict[str, Node], finite: set[str]) -> bool:
    """Tell whether the definition at ``pointer`` is finite, and remember it."""
    if _is_finite(definitions[pointer], finite):
        finite.add(pointer)
        return True
    return False


def _is_finite(node: Node, finite: set[str]) -> bool:
    match node:
        case Ref(pointer):
            return pointer in finite
        case Union(options):
            return any(_is_finite(each, finite) for each in options)
        case Object(properties):
            ends = [_is_finite(each.value, finite) for each in properties]
            if not all(end for each, end in zip(properties, ends, strict=True) if each.required):
                return False
            if not properties:
                return not node.size_min or node.extra is None or _is_finite(node.extra, finite)
            # Optional properties may be endless, as long as there are enough others.
            return sum(ends) >= node.size_min
        case Array(prefix, items, low):
            needed = [*prefix[:low], *([items] if items and low > len(prefix) else [])]
            return all(_is_finite(each, finite) for each in needed)
        case _:
            return True


def _beginnings(node: Node) -> Iterator[str]:
    """Yield what ``node`` may begin with that is not a character."""
    pending = [node]
    while pending:
        each = pending.pop()
        if isinstance(each, Ref):
            yield each.pointer
        elif isinstance(each, Union):
            pending += each.options
