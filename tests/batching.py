"""Batches over a real database, a real meter and real bytes, answered by a stand-in for engine and wire."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from hashlib import blake2b
from pathlib import Path

from geminid.bulk.answering import Copier, caller_of
from geminid.bulk.job import Sizes
from geminid.bulk.runner import RunConfig, Runner
from geminid.bulk.work import Answered, BrokenOff, Prepared
from geminid.core.batch import NewJob
from geminid.core.caller import Caller
from geminid.core.errors import InvalidArgument, Unavailable, UnknownModel
from geminid.core.usage import Usage
from geminid.media.messages import Probed
from geminid.service.batch_limits import BatchLimits
from geminid.service.batch_work import BatchWork
from geminid.service.batches import Batches
from geminid.service.files import Files
from geminid.service.meter import Times
from geminid.service.recovery import Recovery
from geminid.store.blobs import Blobs
from geminid.store.owners import Owner
from geminid.wire.gemini.batch_formats import ANSWERS
from geminid.wire.lines import LineFormat
from geminid.wire.openai.batch_lines import FORMATS as OTHERS
from money import MODEL, House, house

PROMPT, ANSWER = 10, 5
COST_NANO = (PROMPT * 1_000 + ANSWER * 2_000) // 2
"""What a line costs: half of what Prices says."""


async def unprobed(path: Path, mime_type: str) -> Probed:
    raise AssertionError("nothing is looked into")


def known(model: str, kind: str) -> None:
    """There is one model."""
    if model != MODEL:
        raise UnknownModel(model)


class FakeAnswerer:
    """Answers ``{"say": text}``. Texts with a meaning: bad, poison (its engine dies of it), full (refused a few
    times), hang (until it is let go), chance (never the same)."""

    def __init__(self, made: House, duplicates: str = "charged", lines: LineFormat = ANSWERS) -> None:
        self.lines = lines
        self.meter = made.meter
        self.asked: list[str] = []
        self.running = self.most = 0
        self.full = 0
        self.go = asyncio.Event()
        self.numbers = iter(range(10**9))
        self.copy = Copier(made.meter, duplicates, self.new_id, lines.with_receipt).copy

    def new_id(self) -> str:
        return f"{self.meter.owner}-r{next(self.numbers)}"

    def prepare(self, job, request):
        text = json.loads(request)["say"]
        if text == "bad":
            raise InvalidArgument("It is bad.")
        digest = b"" if text == "chance" else blake2b(text.encode(), digest_size=16).digest()
        return Prepared(text, None, digest, text[:4])

    async def answer(self, job, prepared, name):
        self.asked.append(prepared.request)
        self.running += 1
        self.most = max(self.most, self.running)
        try:
            return await self._answered(job, prepared, name)
        finally:
            self.running -= 1

    async def _answered(self, job, prepared, name):
        text, receipt = prepared.request, self.new_id()
        if text == "full" and self.full:
            self.full -= 1
            raise Unavailable("All is full.")
        charge = self.meter.open(
            receipt, caller_of(job), model=MODEL, asked=MODEL, tier="batch", labels={},
            request=name.request_id, fresh=name.fresh,
        )  # fmt: skip
        try:
            await self.meter.admit(charge, Usage(prompt=PROMPT), ANSWER, 1)
            await asyncio.sleep(0)
            if text == "poison":
                raise BrokenOff("The engine stopped.")
            if text.startswith("hang"):
                await self.go.wait()
            await self.meter.defer(charge, Usage(prompt=PROMPT, candidates=ANSWER), "finished", Times())
        except BaseException:
            await self.meter.give_up(charge)
            raise
        body = json.dumps(
            {"id": f"chatcmpl-{receipt}", "said": text, "responseId": receipt}, separators=(",", ":")
        )
        return Answered(body.encode(), charge)


class Bulk:
    """Everything that batches need, opened; ``runner`` works as soon as it is started."""

    def __init__(
        self, made: House, folder: Path, at_once: int, ahead: int, duplicates: str, **limits
    ) -> None:
        self.house, self.clock = made, made.clock
        self.blobs = Blobs(folder / "blobs")
        self.files = Files(made.database, self.blobs, unprobed, lambda: made.clock() * 1000)
        self.batches = Batches(
            made.database, self.blobs, self.files, BatchLimits(**limits), known, made.clock
        )
        self.work = BatchWork(
            made.database, self.blobs, made.meter.owner, file_ttl_ms=10**9, now_ms=made.clock,
            hooks=("http://operator.example/hook",),
        )  # fmt: skip
        self.answerer = FakeAnswerer(made, duplicates)
        self.others = {name: FakeAnswerer(made, duplicates, lines) for name, lines in OTHERS.answers.items()}
        sizes = Sizes(line_bytes_max=1_000, lines_ahead=ahead, bytes_ahead=10**6)
        answerers = {"generate": self.answerer, **self.others}
        self.runner = Runner(self.batches, self.work, answerers, made.meter, RunConfig(at_once, sizes))

    async def create(self, caller: Caller, texts, **said):
        lines = tuple(
            text if isinstance(text, bytes)
            else json.dumps({"request": {"say": text}, "metadata": {"key": f"k{n}"}}).encode()
            for n, text in enumerate(texts)
        )  # fmt: skip
        return await self.batches.create(caller, NewJob(model=MODEL, lines=lines, **said))

    async def ended(self, job, seconds: float = 60):
        """Return the job once its results can be read."""
        async with asyncio.timeout(seconds):
            while True:
                now = await self.batches.get(job.project, job.id)
                if now.ended and (now.output or now.state == "failed"):
                    return now
                await asyncio.sleep(0.01)

    async def results(self, job):
        return [json.loads(line) async for line in self.batches.results(await self.ended(job))]

    async def reaches(self, check, seconds: float = 60) -> None:
        async with asyncio.timeout(seconds):
            while not check():
                await asyncio.sleep(0.01)


@asynccontextmanager
async def bulk(
    url: str, folder: Path, *, at_once: int = 8, ahead: int = 16, duplicates: str = "charged",
    owner: str = "one", clock=None, start: bool = True, **limits,
) -> AsyncIterator[Bulk]:  # fmt: skip
    """Open batches as a server does."""
    async with house(url, owner=owner, clock=clock) as made:
        opened = Bulk(made, folder, at_once, ahead, duplicates, **limits)
        if start:
            await opened.runner.start()
        try:
            yield opened
        finally:
            await opened.runner.close()
            await opened.files.close()


async def proved(opened: Bulk, project: str, lines: int) -> None:
    """So many lines were paid, each once, at its price; nothing is held; the ledger fits."""
    rows = await opened.house.rows(project)
    paid = [row for row in rows if row.cost_nano]
    assert len({row.request for row in paid}) == len({row.id for row in paid}) == len(paid) == lines
    balance = await opened.house.balance(project)
    assert (balance.revenue_nano, balance.held_nano) == (lines * COST_NANO, 0)
    await opened.house.verified()


async def released(opened: Bulk) -> None:
    """Let go of what dead processes hold, as every server does at its start."""
    me = Owner(id=opened.house.meter.owner, host="h", pid=1, born_ms=1, heartbeat_ms=0)
    recovery = Recovery(opened.house.database, me, lambda pid, born: False, now_ms=opened.clock)
    await recovery.beat()
