"""What is kept ready for one model, in the server: it outlives engine processes, and the model's unloading.

It knows no process: whoever starts one has it compute what is here.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from geminid.core.content import Text, Turn
from geminid.core.request import GenerateRequest
from geminid.core.usage import Usage
from geminid.engines.protocol import Prefix

CONTINUATIONS = ("A", "\n1.")
"""Two ways in which a user may go on; what both prompts begin with, any other does as well, but for a last
token that a word of its own may join."""


class PrefixShelf:
    """Prefixes with the usage of their prompts, in the order in which they were kept."""

    def __init__(self) -> None:
        self._kept: dict[str, tuple[Prefix, Usage]] = {}

    def __iter__(self) -> Iterator[Prefix]:
        return (prefix for prefix, _ in self._kept.values())

    def __len__(self) -> int:
        return len(self._kept)

    def __contains__(self, prefix_id: str) -> bool:
        return prefix_id in self._kept

    @property
    def tokens(self) -> int:
        """Tokens of all of them."""
        return sum(usage.prompt for _, usage in self._kept.values())

    def put(self, prefix: Prefix, usage: Usage) -> None:
        """Keep a prefix."""
        self._kept[prefix.id] = prefix, usage

    def get(self, prefix_id: str) -> Prefix | None:
        """Return a prefix that is kept."""
        return self._kept[prefix_id][0] if prefix_id in self._kept else None

    def usage(self, prefix_id: str) -> Usage | None:
        """Return the usage of a prefix that is kept."""
        return self._kept[prefix_id][1] if prefix_id in self._kept else None

    def drop(self, prefix_id: str) -> None:
        """Keep a prefix no longer."""
        self._kept.pop(prefix_id, None)


def beginning(request: GenerateRequest) -> tuple[GenerateRequest, ...]:
    """Return requests that have nothing in common but what they begin with."""
    return tuple(
        msgspec.structs.replace(request, turns=(*request.turns, Turn("user", (Text(words),))))
        for words in CONTINUATIONS
    )
