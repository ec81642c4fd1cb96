"""Stand-ins for parts that cost processes or weights."""

from contextlib import asynccontextmanager

from geminid.core.usage import Usage
from geminid.engines.protocol import EngineState
from geminid.service.resolve import Resolved


class FakeModelEngine:
    """Takes the place of ``ModelEngine``: no process, three tokens in every prompt."""

    def __init__(self, card, load, **_):
        self.card, self.load = card, load
        self.running, self.closed = [], False

    @property
    def idle(self):
        return not self.running

    @property
    def spare(self):
        return all(tier == "batch" for tier in self.running)

    @asynccontextmanager
    async def generate(self, request):
        self.running.append(request.tier)
        try:
            yield iter(())
        finally:
            self.running.remove(request.tier)

    async def count(self, request):
        return Usage(prompt=3)

    async def ready(self):
        pass

    def state(self):
        return EngineState(model=self.card.name, phase="ready")

    async def close(self):
        self.closed = True


class NoMedia:
    """Takes the place of ``Resolver`` where requests are of text only."""

    async def resolve(self, request, card, project):
        return Resolved(request=request)
