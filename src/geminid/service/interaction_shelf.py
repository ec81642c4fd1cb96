"""Where interactions are kept: values ⇄ rows of the database, chains of them, room, and their end.

It answers nothing and knows no wire. Invariants: what is kept is written by one transaction; whoever goes on
from interactions prolongs their lives, so that a conversation ends as a whole.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import NamedTuple, TypeVar

import msgspec
from sqlalchemy import Connection

from geminid.core.content import Turn
from geminid.core.errors import (
    FailedPrecondition,
    ResourceExhausted,
    UnknownInteraction,
    UnknownPrevious,
)
from geminid.core.interaction import (
    Chain,
    Fault,
    Interaction,
    InteractionStatus,
    StepEvent,
    turns_of_step,
)
from geminid.service.interaction_bytes import (
    EVENTS,
    STEPS,
    TURNS,
    WAITING,
    Waiting,
    deflated,
    inflated,
    placeless,
)
from geminid.service.interaction_limits import InteractionLimits
from geminid.store import interactions as rows
from geminid.store.database import Database
from geminid.store.interactions import InteractionRow, Link, Said

T = TypeVar("T")

SLACK_MS = 3_600_000
"""What was gone on from is prolonged by so much more than is needed, and so not with every turn."""
SWEPT_AT_ONCE = 200
LARGE_BYTES = 65_536
"""From that many characters or bytes on, packing is done in a thread."""
SIZE_KEPT_MS = 10_000
"""How long it is believed what the interactions of a project take."""


class Left(NamedTuple):
    """An interaction that no process is at work on: taken over."""

    interaction: Interaction
    waiting: Waiting | None
    tries: int
    cancelling: bool


class Shelf:
    """The interactions of one database. owner: this process, by a name that no other has or had."""

    def __init__(self, database: Database, limits: InteractionLimits, owner: str) -> None:
        self._database = database
        self._limits = limits
        self._owner = owner
        self._sizes: dict[str, tuple[int, int]] = {}

    # -- keeping -----------------------------------------------------------------------------------

    async def add(
        self,
        interaction: Interaction,
        chain: Chain,
        *,
        events: tuple[StepEvent, ...] | None = None,
        waiting: Waiting | None = None,
    ) -> None:
        """Keep an interaction; one that waits to run is this process's to run.

        Raises ``ResourceExhausted`` when too many of its project wait.
        """
        said = await self._said(interaction, events, waiting)
        row = self._row(interaction, chain, said)

        def act(connection: Connection) -> None:
            if not interaction.ended and rows.running(connection, row.project) >= self._limits.waiting_max:
                raise ResourceExhausted(
                    f"This project has {self._limits.waiting_max} interactions in the background that have "
                    "not ended; wait until some have, or cancel some."
                )
            rows.add(connection, row, said)
            soon = row.expires_ms
            rows.prolong(connection, row.project, chain.ids, soon, soon + SLACK_MS)

        await self._database.write(act)
        self._note(row.project, said.size_bytes)

    async def put(
        self, interaction: Interaction, chain: Chain, events: tuple[StepEvent, ...] | None = None
    ) -> None:
        """Write an interaction that was kept before as it is now; one that was removed stays away."""
        said = await self._said(interaction, events, None)
        row = self._row(interaction, chain, said)
        await self._database.write(lambda connection: rows.put(connection, row, said))
        self._note(row.project, said.size_bytes)

    async def room(self, project: str, now_ms: int) -> None:
        """Raise ``ResourceExhausted`` for a project whose interactions take all that they may."""
        most = self._limits.bytes_max
        if not most:
            return
        read_ms, size = self._sizes.get(project, (now_ms - SIZE_KEPT_MS, 0))
        if now_ms - read_ms >= SIZE_KEPT_MS:
            size = await self._database.read(partial(rows.size_bytes, project=project))
            self._sizes[project] = now_ms, size
        if size >= most:
            raise ResourceExhausted(
                f"Stored interactions of this project take {size} of {most} bytes. Delete some, or do not "
                "have this one stored."
            )

    async def remove(self, project: str, wire: str, interaction_id: str, now_ms: int) -> bool:
        """Remove an interaction; return whether there was one."""

        def act(connection: Connection) -> bool:
            found = rows.find(connection, project, wire, interaction_id, now_ms)
            return found is not None and bool(rows.remove(connection, [(project, interaction_id)]))

        self._sizes.pop(project, None)
        return await self._database.write(act)

    async def sweep(self, now_ms: int) -> int:
        """Remove what has expired and what belongs to deleted projects; return how many that were."""

        def act(connection: Connection) -> int:
            return rows.remove(connection, rows.expired(connection, now_ms, SWEPT_AT_ONCE))

        removed = 0
        while some := await self._database.write(act):
            removed += some
        return removed

    # -- telling -----------------------------------------------------------------------------------

    async def get(self, project: str, wire: str, interaction_id: str, now_ms: int) -> Interaction:
        """Return an interaction; raises ``UnknownInteraction``."""
        found = await self._database.read(
            lambda connection: rows.find(connection, project, wire, interaction_id, now_ms)
        )
        if found is None:
            raise UnknownInteraction(interaction_id)
        return await _off_loop(partial(_interaction, *found), found[1].size_bytes)

    async def events(self, interaction: Interaction) -> tuple[StepEvent, ...] | None:
        """Return the events of an interaction, where they were kept."""
        data = await self._database.read(
            lambda connection: rows.events(connection, interaction.project, interaction.id)
        )
        return None if data is None else await _off_loop(partial(EVENTS.unpack, data), len(data))

    async def chain(self, project: str, wire: str, interaction_id: str, now_ms: int) -> Chain:
        """Return what was said up to an interaction. Raises ``UnknownPrevious``, ``FailedPrecondition``."""
        limits = self._limits
        links = await self._database.read(
            lambda connection: rows.line(connection, project, wire, interaction_id, now_ms, limits.depth_max)
        )
        if not links:
            raise UnknownPrevious(interaction_id)
        last = links[-1]
        if last.status in rows.RUNNING:
            raise FailedPrecondition(f"Interaction {interaction_id} has not ended yet.")
        if last.depth >= limits.depth_max:
            raise FailedPrecondition(
                f"Interaction {interaction_id} is the last of {limits.depth_max} that follow each other, and "
                "there may be no more. Begin a new conversation."
            )
        if last.chain_bytes >= limits.chain_bytes_max:
            raise FailedPrecondition(
                f"What was said up to interaction {interaction_id} takes {last.chain_bytes} bytes, and no "
                f"more than {limits.chain_bytes_max} are gone on from. Begin a new conversation."
            )
        if links[0].previous:
            raise UnknownPrevious(links[0].previous)
        return await _off_loop(partial(_chain, links), last.chain_bytes)

    # -- running -----------------------------------------------------------------------------------

    async def left(self) -> tuple[Left, ...]:
        """Take over the interactions whose processes are gone, and return them."""
        taken = []
        for row in await self._database.read(partial(rows.left, owner=self._owner)):
            said = await self._database.write(partial(rows.claim, row=row, owner=self._owner))
            if said is not None:
                waiting = None if said.waiting is None else WAITING.unpack(said.waiting)
                taken.append(Left(_interaction(row, said), waiting, row.tries + 1, row.cancelling))
        return tuple(taken)

    async def release(self, interaction: Interaction) -> None:
        """Let go of one that waits, so that another process runs it."""
        await self._database.write(
            lambda connection: rows.release(connection, interaction.project, interaction.id)
        )

    async def produced(self, interaction: Interaction) -> None:
        """Write that something of it was told."""
        now_ms = interaction.updated_ms
        await self._database.write(
            lambda connection: rows.produced(connection, interaction.project, interaction.id, now_ms)
        )

    async def ask_to_cancel(self, interaction: Interaction) -> None:
        """Have whoever is at work on an interaction stop it."""
        await self._database.write(
            lambda connection: rows.ask_to_cancel(connection, interaction.project, interaction.id)
        )

    async def cancelling(self) -> tuple[tuple[str, str], ...]:
        """Return those that this process is to stop, by project and id."""
        return await self._database.read(partial(rows.cancelling, owner=self._owner))

    # -- values and rows ---------------------------------------------------------------------------

    def _row(self, interaction: Interaction, chain: Chain, said: Said) -> InteractionRow:
        fault = interaction.fault
        return InteractionRow(
            project=interaction.project,
            id=interaction.id,
            wire=interaction.wire,
            previous=interaction.previous,
            depth=chain.depth + 1,
            model=interaction.model,
            asked=interaction.asked,
            status=interaction.status,
            background=interaction.background,
            created_ms=interaction.created_ms,
            updated_ms=interaction.updated_ms,
            expires_ms=interaction.expires_ms,
            size_bytes=said.size_bytes,
            chain_bytes=chain.size_bytes + len(said.turns) + len(said.steps),
            fault_code=fault.code if fault else "",
            fault=fault.message if fault else "",
            fault_field=fault.field if fault else "",
            owner="" if interaction.ended else self._owner,
            tries=0 if interaction.ended else 1,
        )

    async def _said(
        self,
        interaction: Interaction,
        events: tuple[StepEvent, ...] | None,
        waiting: Waiting | None,
    ) -> Said:
        def pack() -> Said:
            return Said(
                kept=deflated(interaction.kept),
                turns=TURNS.pack(placeless(interaction.turns)),
                steps=STEPS.pack(interaction.steps),
                events=None if events is None else EVENTS.pack(events),
                waiting=None if waiting is None else WAITING.pack(waiting),
            )

        return await _off_loop(pack, len(interaction.kept) + 100 * len(events or ()))

    def _note(self, project: str, size: int) -> None:
        if (known := self._sizes.get(project)) is not None:
            self._sizes[project] = known[0], known[1] + size


def _interaction(row: InteractionRow, said: Said) -> Interaction:
    fault = None
    if row.fault_code:
        fault = Fault(code=row.fault_code, message=row.fault, field=row.fault_field)
    status: InteractionStatus = msgspec.convert(row.status, InteractionStatus)
    return Interaction(
        id=row.id,
        project=row.project,
        wire=row.wire,
        model=row.model,
        asked=row.asked,
        previous=row.previous,
        status=status,
        background=row.background,
        created_ms=row.created_ms,
        updated_ms=row.updated_ms,
        expires_ms=row.expires_ms,
        kept=inflated(said.kept),
        turns=TURNS.unpack(said.turns),
        steps=STEPS.unpack(said.steps),
        fault=fault,
    )


def _chain(links: tuple[Link, ...]) -> Chain:
    last = links[-1]
    turns: list[Turn] = []
    for link in links:
        turns += TURNS.unpack(link.turns)
        turns += [turn for step in STEPS.unpack(link.steps) for turn in turns_of_step(step)]
    return Chain(
        last=last.id,
        turns=tuple(turns),
        depth=last.depth,
        size_bytes=last.chain_bytes,
        ids=tuple(link.id for link in links),
    )


async def _off_loop(work: Callable[[], T], size: int) -> T:
    return await asyncio.to_thread(work) if size >= LARGE_BYTES else work()
