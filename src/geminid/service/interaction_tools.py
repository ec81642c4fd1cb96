"""Functions that run in this server, between two answers of one interaction.

It knows none of them. A wire that offers some (a search over files) declares them to the model among the
tools of its request, and says here which names are the server's and how they are called.
"""

from __future__ import annotations

from typing import Protocol

from geminid.core.caller import Caller
from geminid.core.content import ToolCall, ToolResult


class ServerTools(Protocol):
    """names: the functions that run here; all others are the caller's. calls_max: how often they may be
    called within one interaction; after that the model is told of no tools any more."""

    @property
    def names(self) -> frozenset[str]:
        """See above."""

    @property
    def calls_max(self) -> int:
        """See above."""

    async def call(self, call: ToolCall, caller: Caller) -> ToolResult:
        """Return what a function gives back, with the id and the name of its call.

        A ``Problem`` that it raises ends the interaction as failed.
        """
