"""What remembering costs: keeping an interaction, reading a conversation back, and searching vectors exactly.

One process, one SQLite database on this machine's disk, no engine and no network.
"""

from __future__ import annotations

import asyncio
import random
import struct
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from benchmarks.figures import Outcome, Table, figure
from geminid.core.content import Text, Turn
from geminid.core.events import Answer, Candidate, FinishReason
from geminid.core.interaction import NO_CHAIN, Chain, Interaction, Step
from geminid.core.usage import Usage
from geminid.service.interaction_limits import InteractionLimits
from geminid.service.interaction_shelf import Shelf
from geminid.service.vector_search import FileKey, nearest, packed
from geminid.store.database import Database, sqlite_url

WORDS = "The quick brown fox jumps over the lazy dog. " * 20
"""What each turn says, in 900 characters."""
NEVER_MS = 10**15
DIMENSIONS = 384
WINDOWS_OF_A_FILE = 1_000


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """depths: how many interactions follow each other; windows: how many vectors are searched."""

    rounds: int = 20
    depths: tuple[int, ...] = (1, 10, 50, 200, 1_000)
    windows: tuple[int, ...] = (10_000, 100_000)


QUICK = Plan(rounds=3, depths=(1, 10), windows=(1_000,))


def run(plan: Plan, say: Callable[[str], None]) -> Outcome:
    """Measure everything in the plan."""
    runs: list[dict[str, Any]] = [*asyncio.run(_kept(plan)), *_searched(plan)]
    for each in runs:
        say(f"{each['case']}: {figure(each['ms']).median:.2f} ms")
    return Outcome(
        arguments=msgspec.to_builtins(plan),
        runs=runs,
        tables=[
            Table(
                title="Milliseconds to remember",
                note="Each interaction is two texts of 900 characters; each vector has 384 numbers.",
                columns=["act", "ms"],
                rows=[[each["case"], figure(each["ms"])] for each in runs],
            )
        ],
    )


async def _kept(plan: Plan) -> list[dict[str, Any]]:
    with tempfile.TemporaryDirectory() as folder:
        database = await Database.open(sqlite_url(Path(folder) / "geminid.db"))
        shelf = Shelf(database, InteractionLimits(depth_max=10**6), "benchmark")
        keeping, chain = [], NO_CHAIN
        for number in range(max(plan.depths)):
            one = _interaction(number, chain)
            began_s = time.perf_counter()
            await shelf.add(one, chain)
            keeping.append(_since_ms(began_s))
            chain = Chain(last=one.id, depth=number + 1, ids=(*chain.ids, one.id))
        runs: list[dict[str, Any]] = [{"case": "keep an interaction", "ms": keeping}]
        for depth in plan.depths:
            took = []
            for _ in range(plan.rounds):
                began_s = time.perf_counter()
                read = await shelf.chain("p", "w", f"i{depth - 1}", 0)
                took.append(_since_ms(began_s))
                assert read.depth == depth
            runs.append({"case": f"read a conversation of {depth:,}", "ms": took})
        await database.close()
    return runs


def _interaction(number: int, chain: Chain) -> Interaction:
    answer = Answer(candidates=(Candidate(WORDS, FinishReason.STOP),), usage=Usage(prompt=1, candidates=1))
    return Interaction(
        id=f"i{number}",
        project="p",
        wire="w",
        model="m",
        asked="m",
        previous=chain.last,
        status="completed",
        created_ms=number,
        updated_ms=number,
        expires_ms=NEVER_MS,
        turns=(Turn("user", (Text(WORDS),)),),
        steps=(Step(receipt="r", answer=answer),),
    )


def _searched(plan: Plan) -> list[dict[str, Any]]:
    dice, runs = random.Random(1), []
    query = struct.pack(f"<{DIMENSIONS}f", *(dice.gauss() for _ in range(DIMENSIONS)))
    for windows in plan.windows:
        files: dict[FileKey, bytes] = {
            ("p", "s", str(number), 0): packed([_vectors(dice)])
            for number in range(windows // WINDOWS_OF_A_FILE)
        }
        nearest([query], files, 10, 0.0)  # the arithmetic is imported
        took = []
        for _ in range(plan.rounds):
            began_s = time.perf_counter()
            nearest([query], files, 10, 0.0)
            took.append(_since_ms(began_s))
        runs.append({"case": f"search {windows:,} vectors", "ms": took})
    return runs


def _vectors(dice: random.Random) -> bytes:
    count = WINDOWS_OF_A_FILE * DIMENSIONS
    return struct.pack(f"<{count}f", *(dice.gauss() for _ in range(count)))


def _since_ms(began_s: float) -> float:
    return (time.perf_counter() - began_s) * 1000
