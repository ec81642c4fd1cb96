"""An engine of straw: makes the tokens that an errand says, fails where it says so, and writes both down."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from contextvars import ContextVar

import msgspec

from geminid.core.errors import InvalidArgument, ResourceExhausted, Unavailable
from geminid.core.events import Event, Finished, FinishReason, Started, TextDelta, ThoughtDelta, usage_of
from geminid.core.usage import Usage
from geminid.engines.protocol import Events
from sim.journal import Journal
from sim.plan import Errand

RECEIPT: ContextVar[str] = ContextVar("receipt")
"""Of the request that this task is about."""

FAILURES = {"UNAVAILABLE": Unavailable, "RESOURCE_EXHAUSTED": ResourceExhausted}


class StrawEngine:
    """Answers errands, which it finds by the words of a request."""

    def __init__(self, errands: dict[str, Errand], journal: Journal) -> None:
        self._errands = errands
        self._journal = journal

    @asynccontextmanager
    async def generate(self, card, request) -> AsyncIterator[AsyncIterator[Event]]:
        errand = self._errands[request.turns[0].parts[0].text]
        if errand.fails == "refused":
            raise InvalidArgument("It does not fit.")
        making = _Making(errand, self._report)
        try:
            yield Events(making.events(), making.produced) if errand.ahead else making.events()
        finally:
            making.report()

    def _report(self, receipt: str, made: Usage) -> None:
        self._journal.note("engine", receipt, msgspec.to_builtins(made))

    async def count(self, card, request) -> Usage:
        return Usage(prompt=self._errands[request.turns[0].parts[0].text].prompt)

    async def ready(self, card) -> None:
        """It always is."""

    def states(self) -> Sequence[object]:
        return []

    async def close(self) -> None:
        """Nothing is held."""


class _Making:
    """One answer. ``made``: what it has come to, read or not."""

    def __init__(self, errand: Errand, report: Callable[[str, Usage], None]) -> None:
        self._errand = errand
        self._report = report
        self._receipt = RECEIPT.get()
        self._reported = False
        self.made = Usage(prompt=errand.prompt, cached=errand.cached)

    def produced(self) -> Usage:
        """What was made beside the prompt, of which ``Started`` told everything."""
        return Usage(candidates=self.made.candidates, thoughts=self.made.thoughts)

    def report(self) -> None:
        """Write down once what was made."""
        if not self._reported:
            self._reported = True
            self._report(self._receipt, self.made)

    async def events(self) -> AsyncIterator[Event]:
        errand = self._errand
        yield Started(self.made)
        deltas = self._deltas()
        for number, delta in enumerate(deltas):
            await asyncio.sleep(errand.step_ms / 1000)
            if errand.fails and number == errand.fails_after * errand.candidates:
                self._fail()
            due = deltas[: number + 1 + errand.ahead]
            self.made = sum(map(usage_of, due), Usage(prompt=errand.prompt, cached=errand.cached))
            yield delta
        if errand.fails:
            self._fail()
        for candidate in range(errand.candidates):
            if candidate == errand.candidates - 1:
                self.report()
            yield Finished(FinishReason.STOP, candidate)

    def _deltas(self) -> list[Event]:
        errand = self._errand
        chunks: list[Event] = []
        for candidate in range(errand.candidates):
            if errand.thoughts:
                chunks.append(ThoughtDelta("", errand.thoughts, candidate))
            chunks += [TextDelta("word", tokens, candidate) for tokens in errand.steps]
        return chunks

    def _fail(self) -> None:
        if self._errand.fails == "bug":
            raise RuntimeError("a bug of the engine's")
        raise FAILURES[self._errand.fails]("The engine is lost.")
