"""What every engine offers. Streaming is the only path; a unary answer is a folded stream.

An engine knows no wire, no caller and no money. How models differ stands on the card.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Literal, Protocol

import msgspec

from geminid.core.card import EmbeddingCard, ModelCard
from geminid.core.embed import Embedding, EmbedRequest
from geminid.core.events import Event
from geminid.core.request import GenerateRequest, Tier
from geminid.core.usage import Usage

Phase = Literal["idle", "loading", "ready", "restarting", "failed"]


class EngineState(msgspec.Struct, frozen=True, kw_only=True):
    """What one loaded model is doing now: read by health checks, metrics and the command line.

    waiting: requests that have not produced a token yet; producing: those that have.
    kv_used: share of the KV cells in use, 0 to 1. restarts: engine processes lost so far.
    pid: the engine's process, 0 when it has none. detail: why it failed, in words. prefixes: how many are
    kept, cached_tokens: of how many tokens, cached_tokens_max: of how many at the most.
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
    prefixes: int = 0
    cached_tokens: int = 0
    cached_tokens_max: int = 0


class Events:
    """Events of an answer, and what the engine has produced of it, whether or not that was read: everything
    beside what ``Started`` tells.

    waited_ms: for how long the request waited between being accepted and being begun, once that is known.
    An engine that yields a plain iterator produces nothing before it is read, and lets nobody wait.
    """

    def __init__(
        self,
        events: AsyncIterator[Event],
        produced: Callable[[], Usage],
        waited_ms: Callable[[], int | None] = lambda: None,
    ) -> None:
        self._events = events
        self.produced = produced
        self.waited_ms = waited_ms

    def __aiter__(self) -> AsyncIterator[Event]:
        return self._events

    def __anext__(self) -> Awaitable[Event]:
        """Return the next event."""
        return self._events.__anext__()


class Prefix(msgspec.Struct, frozen=True, kw_only=True):
    """What other requests begin with, and what an engine shall keep ready: the cached contents ``id``.

    request: its system text, turns and tools, its media read. Its tier says how urgently it is computed.
    """

    id: str
    request: GenerateRequest

    def at(self, tier: Tier) -> Prefix:
        """Return the same, to be computed as urgently as a request of this tier."""
        return Prefix(id=self.id, request=msgspec.structs.replace(self.request, tier=tier))


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
        """Return the usage that the request's prompt would have, without answering it; as cached counts what
        the kept prefix makes up that it names."""

    async def keep(self, card: ModelCard, prefix: Prefix) -> Usage:
        """Compute a prefix and keep it until it is dropped; return the usage of its prompt.

        A prefix that is kept already is not computed again. An engine that has lost it, or its process,
        computes it again by itself, before it is asked for if it can. Raises ``InputTooLong``, and
        ``CachesFull`` where it would not fit beside those that are kept.
        """

    async def drop(self, card: ModelCard, prefix_id: str) -> None:
        """Forget a prefix; one that is not kept is forgotten already."""

    async def ready(self, card: ModelCard) -> None:
        """Load the model if need be and wait until it answers; raises ``Unavailable`` if it cannot."""

    def states(self) -> Sequence[EngineState]:
        """Return one state for each model that is loaded or loading."""

    async def close(self) -> None:
        """Stop answering and release everything. Running requests end in a ``Problem``."""


class Embedder(Protocol):
    """Whatever turns texts into vectors."""

    async def embed(self, card: EmbeddingCard, request: EmbedRequest) -> tuple[Embedding, ...]:
        """Return a vector for each input, in their order. Raises a ``Problem``."""

    async def count(self, card: EmbeddingCard, request: EmbedRequest) -> int:
        """Return how many tokens of the inputs would be read."""

    def states(self) -> Sequence[EngineState]:
        """Return one state for each model that is loaded or loading."""

    async def close(self) -> None:
        """Release everything. Running requests end in a ``Problem``."""
