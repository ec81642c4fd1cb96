"""What every engine offers. Streaming is the only path; a unary answer is a folded stream.

An engine knows no wire, no caller and no money. How models differ stands on the card.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Literal, Protocol

import msgspec

from geminid.core.card import ModelCard
from geminid.core.events import Event
from geminid.core.request import GenerateRequest
from geminid.core.usage import Usage

Phase = Literal["idle", "loading", "ready", "restarting", "failed"]


class EngineState(msgspec.Struct, frozen=True, kw_only=True):
    """What one loaded model is doing now: read by health checks, metrics and the command line.

    waiting: requests that have not produced a token yet; producing: those that have.
    kv_used: share of the KV cells in use, 0 to 1. restarts: engine processes lost so far.
    pid: the engine's process, 0 when it has none. detail: why it failed, in words.
    """

    model: str
    phase: Phase
    waiting: int = 0
    producing: int = 0
    kv_used: float = 0.0
    kv_tokens_max: int = 0
    restarts: int = 0
    steps: int = 0
    pid: int = 0
    detail: str = ""


class Engine(Protocol):
    """The seam between the service and whatever computes."""

    def generate(
        self, card: ModelCard, request: GenerateRequest
    ) -> AbstractAsyncContextManager[AsyncIterator[Event]]:
        """Answer a request.

        Entering waits until the engine has accepted it (tokenised, fits, queued) and raises a
        ``Problem`` when it is refused. Leaving, for whatever reason, frees all it held.
        """

    async def count(self, card: ModelCard, request: GenerateRequest) -> Usage:
        """Return the usage that the request's prompt would have, without answering it."""

    async def ready(self, card: ModelCard) -> None:
        """Load the model if need be and wait until it answers; raises ``Unavailable`` if it cannot."""

    def states(self) -> Sequence[EngineState]:
        """Return one state for each model that is loaded or loading."""

    async def close(self) -> None:
        """Stop answering and release everything. Running requests end in a ``Problem``."""
