"""Acts that share commits: what every request does to the database, many requests at a time.

Callers on the event loop hand acts in; one thread takes all that wait, locks the balances of their projects,
loads what they need once, lets each decide in turn on what the ones before it left, writes it all and
commits. It decides nothing itself. Exact over any number of processes on one database. Invariant: an act
that has returned is committed with all that it did, one that has raised has changed nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from queue import SimpleQueue
from typing import Any, Literal, Protocol, TypeVar

import msgspec
from sqlalchemy import Engine

from geminid.billing.balance import Balance
from geminid.billing.orders import NOTHING, Past, past_of
from geminid.billing.quota import State, decode, encode
from geminid.billing.standing import LimitRules, Standing, standing_of
from geminid.billing.transfers import Transfer
from geminid.core.errors import Internal, Problem, Unavailable
from geminid.store import lanes, tables
from geminid.store.caches import COLUMNS as CACHE_COLUMNS
from geminid.store.caches import CacheRow, cache_of
from geminid.store.caches import columns as cache_columns
from geminid.store.lanes import BALANCE_COLUMNS, Lane, Row, Wanted
from geminid.store.ledger import ATTEMPTS_AT_ONCE, balance_columns, balance_of, ids_of, transfer_of
from geminid.store.usage import UsageRow
from geminid.store.usage import columns as usage_columns

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)

ACTS_MAX = 256
"""When so many acts wait, they are done before more are taken: the first would wait for all the others."""
RETRY_AFTER_MS = 5_000
TRIES = 2
PATIENCE_S, PAUSE_S = 10.0, 0.1
"""How long a database that is gone is waited for where nobody knows what it has committed."""
_RULES_KEPT = 1024

log = logging.getLogger("geminid.store")


class Needs(msgspec.Struct, frozen=True, kw_only=True):
    """What an act looks at and changes.

    project: whose balance it locks; empty for an act that adds rows of usage alone. models: whose counts it
    changes. key_id: the key that must still be good, if any. standing: whether the project's own row is
    looked at. hold: the request whose hold it ends. request: one whose past it must know, for it may
    have been here before. begins: the request that it holds for. receipt: a row of usage that may be there
    already. caches: whether it looks at, or changes, the project's cached contents. durable: whether what it
    did must be on the disk when it returns.
    """

    project: str = ""
    models: tuple[str, ...] = ()
    key_id: str = ""
    standing: bool = False
    hold: str = ""
    request: str = ""
    begins: str = ""
    receipt: str = ""
    caches: bool = False
    durable: bool = True


class KeyState(msgspec.Struct, frozen=True):
    """What decides whether a key is good; None in its place means that there is no such key."""

    expires_ms: int | None
    revoked_ms: int | None


class Act(Protocol[T_co]):
    """One thing to be done. It reads and changes the room in one go, or raises before it changes anything."""

    needs: Needs

    def decide(self, room: Room) -> T_co:
        """Do it and return what whoever handed it in is told; raises a ``Problem`` to refuse."""

    def undone(self) -> None:
        """Forget what was decided: it was not committed. It may be decided again."""


class Room:
    """What the acts of one transaction see and change. ``now_ms`` is the time of all of them."""

    def __init__(self, now_ms: int) -> None:
        self.now_ms = now_ms
        self.balances: dict[str, Balance] = {}
        self.states: dict[tuple[str, str], State] = {}
        self.open: set[tuple[str, str, int]] = set()
        self.pasts: dict[tuple[str, str], Past] = {}
        self.standings: dict[str, Standing] = {}
        self.keys: dict[str, KeyState] = {}
        self.receipts: set[str] = set()
        self.caches: dict[tuple[str, str], CacheRow] = {}
        self._transfers: list[Transfer] = []
        self._held: dict[tuple[str, str], Transfer] = {}
        self._ended: set[tuple[str, str]] = set()
        self._usage: list[UsageRow] = []
        self._moved: set[str] = set()
        self._counted: set[tuple[str, str]] = set()
        self._kept: dict[tuple[str, str], bytes] = {}
        self._changed: set[tuple[str, str]] = set()
        self._dropped: set[tuple[str, str]] = set()

    def state(self, project: str, model: str) -> State:
        """Return what is counted for a project and model."""
        return self.states.get((project, model)) or State()

    def count(self, project: str, model: str, state: State) -> None:
        """Take a state in the place of the old one."""
        self.states[project, model] = state
        self._counted.add((project, model))

    def past(self, project: str, request: str) -> Past:
        """Return what is known about a request that an act named in its needs."""
        return self.pasts.get((project, request), NOTHING)

    def enter(self, balance: Balance, rows: Iterable[Transfer]) -> None:
        """Take a balance in the place of the old one, with the transfers that led to it."""
        self.balances[balance.project] = balance
        self._moved.add(balance.project)
        for row in rows:
            self._transfers.append(row)
            key = row.project, row.subject
            if row.kind == "hold":
                self.open.add((*key, row.seq))
                self._held[key] = row
            elif row.kind in ("post", "void"):
                if self._held.pop(key, None) is None:  # it was begun before this transaction
                    self._ended.add(key)
            else:
                continue
            self.pasts[key] = self.pasts.get(key, NOTHING).then(row)

    def has_ended(self, receipt: str) -> bool:
        """Return whether a request that an act named in its needs was written before."""
        return receipt in self.receipts

    def add_usage(self, row: UsageRow) -> None:
        """Add what one request was."""
        self._usage.append(row)
        self.receipts.add(row.id)

    def caches_of(self, project: str) -> Sequence[CacheRow]:
        """Return the cached contents of a project whose acts named them in their needs."""
        return [row for row in self.caches.values() if row.project == project]

    def put_cache(self, row: CacheRow, content: bytes | None = None) -> None:
        """Take a row of cached contents in the place of the old one; content: of new ones, encoded."""
        key = row.project, row.id
        self.caches[key] = row
        self._changed.add(key)
        if content is not None:
            self._kept[key] = content

    def drop_cache(self, row: CacheRow) -> None:
        """Take cached contents away, whatever is in them."""
        key = row.project, row.id
        del self.caches[key]
        self._changed.discard(key)
        if self._kept.pop(key, None) is None:  # it was there before this transaction
            self._dropped.add(key)

    def work(self) -> list[tuple[lanes.Statement, list[Row]]]:
        """Return everything that is to be written."""
        held = [(*key, row.seq, row.owner, row.expires_ms or 0) for key, row in self._held.items()]
        counted = [(*key, encode(self.states[key])) for key in self._counted]
        work = [
            (lanes.DELETE_HOLDS, list(self._ended)),
            (lanes.INSERT_TRANSFERS, [_transfer_columns(row) for row in self._transfers]),
            (lanes.INSERT_HOLDS, held),
            (lanes.PUT_BALANCES, [balance_columns(self.balances[project]) for project in self._moved]),
            (lanes.PUT_QUOTAS, counted),
            (lanes.ADD_USAGE, [usage_columns(row) for row in self._usage]),
            (lanes.DELETE_CACHES, list(self._dropped)),
            (lanes.DELETE_CONTENTS, list(self._dropped)),
            (lanes.PUT_CACHES, [cache_columns(self.caches[key]) for key in self._changed]),
            (lanes.INSERT_CONTENTS, [(*key, content) for key, content in self._kept.items()]),
        ]
        return [(statement, rows) for statement, rows in work if rows]


class _Waiting:
    """An act that was handed in, and where its outcome goes."""

    __slots__ = ("act", "future", "outcome", "raised")

    def __init__(self, act: Act[Any], future: asyncio.Future[Any]) -> None:
        self.act = act
        self.future = future
        self.outcome: Any = None
        self.raised: BaseException | None = None


class Hot:
    """Takes acts from one event loop and does them in one thread. ``now_ms`` tells the time of a commit."""

    def __init__(self, engine: Engine, now_ms: Callable[[], int]) -> None:
        self._engine = engine
        self._now_ms = now_ms
        self._loop = asyncio.get_running_loop()
        self._inbox: SimpleQueue[list[_Waiting] | None] = SimpleQueue()
        self._outgoing: list[_Waiting] = []
        self._rules: dict[tuple[Any, ...], Standing] = {}
        self._closed = False
        self._decided = False
        self.commits = 0
        self._thread = threading.Thread(target=self._run, name="hot", daemon=True)
        self._thread.start()

    def do(self, act: Act[T]) -> asyncio.Future[T]:
        """Do an act; the future gives what it returns, once it is committed. Cancelling undoes nothing.

        The future raises what the act raises, and ``Unavailable`` when the database cannot be written.
        """
        future: asyncio.Future[T] = self._loop.create_future()
        if self._closed:
            future.set_exception(Unavailable("The server is shutting down."))
        else:
            if not self._outgoing:  # everything that one round of the loop hands in goes together
                self._loop.call_soon(self._hand_over)
            self._outgoing.append(_Waiting(act, future))
        return future

    async def close(self) -> None:
        """Do what was handed in, and disconnect."""
        if self._closed:
            return
        self._closed = True
        self._hand_over()
        self._inbox.put(None)
        await asyncio.to_thread(self._thread.join)

    def _hand_over(self) -> None:
        if self._outgoing:
            self._inbox.put(self._outgoing)
            self._outgoing = []

    # -- the thread ----------------------------------------------------------------------------------

    def _run(self) -> None:
        lane: Lane | None = None
        going = True
        while going:
            batch, going = self._batch()
            if batch:
                lane = self._serve(lane, batch)
                self._loop.call_soon_threadsafe(_resolve, batch)
        if lane is not None:
            lane.close()

    def _batch(self) -> tuple[list[_Waiting], bool]:
        """Return what waits, and whether more may come."""
        batch: list[_Waiting] = []
        while not batch or (len(batch) < ACTS_MAX and not self._inbox.empty()):
            some = self._inbox.get()
            if some is None:
                return batch, False
            batch += some
        return batch, True

    def _serve(self, lane: Lane | None, batch: Sequence[_Waiting]) -> Lane | None:
        """Do a batch; of one that has an act nobody can write, each act by itself."""
        try:
            lane = lane or lanes.lane_of(self._engine)
        except Exception as error:  # whatever the driver raises, nobody must wait for ever
            for each in batch:
                each.raised = _unavailable(error)
            return None
        try:
            self._do(lane, batch)
        except lane.faults as error:
            log.error("the database cannot be used now: %s", error)
            for each in batch:
                each.raised = _unavailable(error)
                each.act.undone()
        except Exception as error:
            usable = self._undone(lane)
            for each in batch:
                each.act.undone()
            if len(batch) == 1:
                log.exception("an act cannot be written")
                batch[0].raised = _fault(error)
                return usable
            for each in batch:
                usable = self._serve(usable, [each])
            return usable
        return lane

    def _undone(self, lane: Lane) -> Lane | None:
        """Return the lane with nothing begun; None where a new one is needed."""
        try:
            lane.mend()
        except Exception as error:  # whatever it is, this thread goes on
            log.error("the database cannot be used now: %s", error)
            with contextlib.suppress(Exception):
                lane.close()
            return None
        return lane

    def _do(self, lane: Lane, batch: Sequence[_Waiting]) -> None:
        for left in reversed(range(TRIES)):
            self._decided = False
            try:
                self._transact(lane, batch)
                return
            except lane.faults:
                fate = self._fate(lane)
                if fate == "committed":
                    return
                if fate == "refused" or not left:  # only a lost connection is worth another try
                    raise

    def _fate(self, lane: Lane) -> Literal["committed", "lost", "refused"]:
        """Return what became of a transaction that failed; patiently where it may be committed."""
        until_s = time.monotonic() + PATIENCE_S
        while True:
            try:
                if not lane.mend():
                    return "refused"
                return "committed" if self._decided and lane.committed() else "lost"
            except lane.faults:
                if not (self._decided and lane.in_doubt) or time.monotonic() >= until_s:
                    raise
                time.sleep(PAUSE_S)

    def _transact(self, lane: Lane, batch: Sequence[_Waiting]) -> None:
        needs = [each.act.needs for each in batch]
        room = self._load(lane, needs)
        for each in batch:
            each.outcome = each.raised = None
            try:
                each.outcome = each.act.decide(room)
            except Problem as problem:
                each.raised = problem
            except Exception as error:  # a bug in one act is not the others'
                log.exception("an act failed")
                each.raised = _fault(error)
        work = room.work()
        if work:
            self._decided = True
            lane.write(work)
            self.commits += 1
        else:
            lane.rollback()

    def _load(self, lane: Lane, needs: Sequence[Needs]) -> Room:
        room = Room(self._now_ms())
        projects = sorted({each.project for each in needs if each.project})
        models = dict.fromkeys((each.project, model) for each in needs for model in each.models)
        held = dict.fromkeys((each.project, each.hold) for each in needs if each.hold)
        standings = dict.fromkeys(each.project for each in needs if each.standing)
        keys = dict.fromkeys(each.key_id for each in needs if each.key_id)
        asked = {(each.project, each.request) for each in needs if each.request}
        past = [(project, id_) for project, request in asked for id_ in ids_of(request)]
        new = {(each.project, each.begins) for each in needs if each.begins and not each.request}
        looked = [each for each in held if each not in new]  # who is new here holds here
        receipts = [(each.receipt,) for each in needs if each.receipt]
        caches = dict.fromkeys((each.project,) for each in needs if each.caches)
        wanted = (
            Wanted(tables.quotas, ("project", "model", "state"), ("project", "model"), list(models)),
            Wanted(tables.holds, ("project", "request", "seq"), ("project", "request"), looked),
            Wanted(tables.projects, _PROJECT, ("id",), [(each,) for each in standings]),
            Wanted(tables.keys, ("id", "expires_ms", "revoked_ms"), ("id",), [(each,) for each in keys]),
            Wanted(tables.transfers, Transfer.__struct_fields__, ("project", "id"), past),
            Wanted(tables.usage, ("id",), ("id",), receipts),
            Wanted(tables.caches, CACHE_COLUMNS, ("project",), list(caches)),
        )
        durable = any(each.durable for each in needs)
        rows, found = lane.load(projects, wanted, durable=durable)
        if len(rows) < len(projects):
            _add_missing(lane, projects, rows)
            rows, found = lane.load(projects, wanted, durable=durable)
        room.balances = {balance.project: balance for balance in map(balance_of, rows)}
        room.now_ms = self._now_ms()  # whoever waited for a lock must not act on an older time
        counted, open_, stood, known, told, written, kept = found
        room.caches = {(row.project, row.id): row for row in map(cache_of, kept)}
        room.receipts = {row[0] for row in written}
        room.states = {(project, model): decode(bytes(state)) for project, model, state in counted}
        room.open = set(open_)
        room.standings = {row[0]: self._standing(row) for row in stood}
        room.keys = {id_: KeyState(expires, revoked) for id_, expires, revoked in known}
        room.pasts = self._pasts(lane, told)
        return room

    def _pasts(self, lane: Lane, told: list[Row]) -> dict[tuple[str, str], Past]:
        """Return what is known of requests; of one that was tried very often, more is read."""
        pasts, first = _pasts(told), 1
        while True:
            last = first + ATTEMPTS_AT_ONCE - 1
            tried = [
                key for key, past in pasts.items() if past.hold is not None and past.hold.attempt == last
            ]
            if not tried:
                return pasts
            first += ATTEMPTS_AT_ONCE
            values = [(project, id_) for project, request in tried for id_ in ids_of(request, first)]
            told += lane.more(Wanted(tables.transfers, Transfer.__struct_fields__, ("project", "id"), values))
            pasts = _pasts(told)

    def _standing(self, row: Row) -> Standing:
        """Return how a project stands; rows seldom change, so what they say is kept."""
        if (found := self._rules.get(row)) is None:
            if len(self._rules) >= _RULES_KEPT:
                self._rules.clear()
            project, mode, tier, limits, deleted_ms = row
            rules = msgspec.json.decode(limits, type=LimitRules)
            found = standing_of(project, mode, tier, rules, live=deleted_ms is None)
            self._rules[row] = found
        return found


_PROJECT = ("id", "mode", "tier", "limits", "deleted_ms")


def _add_missing(lane: Lane, projects: Sequence[str], rows: Sequence[Row]) -> None:
    """Make the balances that are not there yet, and end the transaction."""
    there = {row[0] for row in rows}
    missing = [project for project in projects if project not in there]
    lane.write([(lanes.ADD_BALANCES, [balance_columns(Balance(project=project)) for project in missing])])


def _pasts(rows: Iterable[Row]) -> dict[tuple[str, str], Past]:
    told = sorted(map(transfer_of, rows), key=lambda row: (row.project, row.subject, row.seq))
    groups = itertools.groupby(told, key=lambda row: (row.project, row.subject))
    return {key: past_of(group) for key, group in groups}


def _transfer_columns(row: Transfer) -> Row:
    return msgspec.structs.astuple(row)


def _resolve(batch: Sequence[_Waiting]) -> None:
    for each in batch:
        if each.future.done():
            continue  # whoever asked has left; it is done nevertheless
        if each.raised is not None:
            each.future.set_exception(each.raised)
        else:
            each.future.set_result(each.outcome)


def _unavailable(error: Exception) -> Unavailable:
    return Unavailable(f"The database cannot be used now: {error}.", retry_after_ms=RETRY_AFTER_MS)


def _fault(error: Exception) -> Internal:
    fault = Internal("Internal error encountered.")
    fault.__cause__ = error
    return fault


__all__ = ["ACTS_MAX", "ATTEMPTS_AT_ONCE", "BALANCE_COLUMNS", "Act", "Hot", "KeyState", "Needs", "Room"]
