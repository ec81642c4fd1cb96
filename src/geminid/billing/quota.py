"""Quota: whether a request may run now, by rates, by what runs already, by what was spent.

A state counts for one project and model, or for a project as a whole. It is one small value: a batch of
decisions is one row read, some calls of :func:`admit` and :func:`settle`, one row written. It knows no
database and no clock.

Time here never goes back. A clock behind ``State.latest_ms`` (another process's, or set back) counts as
that moment: nothing leaves the window until the clock has caught up. One that is more than
:data:`SKEW_MS_MAX` behind means that the state's own time was wrong; then the state is moved to the clock's
time with all that it counts, so that a clock which once was years ahead blocks nobody for years. A clock
that jumps ahead looks like idle time and cannot be told from it: each jump lets one more allowance through.

Tokens must be reserved by the most they can be: what is admitted holds the limit, not what is settled later.

Invariant: whatever the times, in every stretch of 60 seconds of that time no more than the limit is admitted.
"""

from __future__ import annotations

import msgspec

from geminid.billing.limits import FREE_NAMES, PAID_NAMES, LimitName, Limits
from geminid.billing.periods import Tally, day_at, month_at, turned, used
from geminid.billing.window import Window, clears_at_ms, corrected, counted, pruned, shifted
from geminid.core.money import Nano

SKEW_MS_MAX = 600_000
"""Clocks of processes that share a database differ by less than this."""

RETRY_MS = 1_000
"""When to look again for a place among running requests: a guess, for nobody knows when one ends."""


class Running(msgspec.Struct, frozen=True, array_like=True):
    """What one process has admitted and not yet settled; ``reserved_nano`` is what that may cost."""

    owner: str
    requests: int = 0
    reserved_nano: Nano = 0


class State(msgspec.Struct, frozen=True, array_like=True):
    """Everything that is counted. Fields are only ever added at the end: old rows stay readable.

    latest_ms: the latest time seen. moves: how often the state was moved to another time.
    """

    latest_ms: int = 0
    moves: int = 0
    window: Window = Window()
    day: Tally = Tally()
    spend_day: Tally = Tally()
    spend_month: Tally = Tally()
    running: tuple[Running, ...] = ()


class Ask(msgspec.Struct, frozen=True, kw_only=True):
    """A request that wants to run.

    owner: the process that will run it. tokens: of input, the most it can have. spend_nano: the most it can
    cost.
    """

    owner: str
    tokens: int = 0
    spend_nano: Nano = 0


class Ticket(msgspec.Struct, frozen=True, kw_only=True):
    """What an admitted request was counted as, and where; it is given back once, to :func:`settle`."""

    owner: str
    tokens: int
    spend_nano: Nano
    time_ms: int
    bucket: int
    moves: int


class Refusal(msgspec.Struct, frozen=True, kw_only=True):
    """One limit that stands in the way.

    quota_id, metric: Google's names. value: the limit. clears_at_ms: when this very request would pass if
    nothing else came in between; None when it never will, being more than the limit by itself.
    """

    limit: LimitName
    quota_id: str
    metric: str
    value: int
    clears_at_ms: int | None


class Admitted(msgspec.Struct, frozen=True):
    """The request may run; ``state`` takes the place of the old one."""

    state: State
    ticket: Ticket


class Refused(msgspec.Struct, frozen=True):
    """The request may not run; nothing was counted. ``refusals`` are all limits that say so.

    moved: the state was moved to the clock's time. Then ``state`` must be kept, or time would stand still;
    otherwise it need not be, and a refusal costs no write.
    """

    refusals: tuple[Refusal, ...]
    state: State
    moved: bool

    @property
    def clears_at_ms(self) -> int | None:
        """When the last of them clears; None when one never will."""
        times = [refusal.clears_at_ms for refusal in self.refusals]
        return None if None in times else max(time for time in times if time is not None)


def admit(state: State, limits: Limits, ask: Ask, now_ms: int) -> Admitted | Refused:
    """Decide on one request. Nothing is counted unless every limit allows it."""
    moves, state = state.moves, at(state, now_ms)
    refusals = _refusals(state, limits, ask)
    if refusals:
        return Refused(refusals, state, state.moves != moves)
    window, bucket = counted(state.window, state.latest_ms, ask.tokens)
    ticket = Ticket(
        owner=ask.owner,
        tokens=ask.tokens,
        spend_nano=ask.spend_nano,
        time_ms=state.latest_ms,
        bucket=bucket,
        moves=state.moves,
    )
    return Admitted(
        State(
            state.latest_ms,
            state.moves,
            window,
            used(state.day, 1, state.latest_ms),
            state.spend_day,
            state.spend_month,
            _ran(state.running, ask.owner, 1, ask.spend_nano),
        ),
        ticket,
    )


def settle(state: State, ticket: Ticket, *, tokens: int, spent_nano: Nano) -> State:
    """Return the state with what a request really used, in place of what was reserved for it.

    Tokens are put right in the bucket of the ticket, if that still counts; spending in the day and month
    of the ticket. More than was reserved is counted too: then what follows waits longer. A ticket counts
    once; whoever calls this does so in the transaction in which the request ends, which happens once.
    """
    moved = ticket.moves != state.moves
    time_ms = state.latest_ms if moved else ticket.time_ms
    window = state.window if moved else corrected(state.window, ticket.bucket, tokens - ticket.tokens)
    return State(
        state.latest_ms,
        state.moves,
        window,
        state.day,
        used(state.spend_day, spent_nano, time_ms),
        used(state.spend_month, spent_nano, time_ms),
        _ran(state.running, ticket.owner, -1, -ticket.spend_nano),
    )


def spent(state: State, nano: Nano, now_ms: int) -> State:
    """Return the state with money that was spent outside of any request, in that time's day and month."""
    state = at(state, now_ms)
    return msgspec.structs.replace(
        state,
        spend_day=used(state.spend_day, nano, state.latest_ms),
        spend_month=used(state.spend_month, nano, state.latest_ms),
    )


def forget(state: State, owner: str) -> State:
    """Return the state without what a process left running when it died; what it had counted stays."""
    kept = tuple(each for each in state.running if each.owner != owner)
    return msgspec.structs.replace(state, running=kept)


def at(state: State, now_ms: int) -> State:
    """Return the state as it is at that time, by the rules for time above."""
    if now_ms < state.latest_ms - SKEW_MS_MAX:
        window, moves = shifted(state.window, state.latest_ms - now_ms), state.moves + 1
    else:
        now_ms, window, moves = max(now_ms, state.latest_ms), state.window, state.moves
    return State(
        now_ms,
        moves,
        pruned(window, now_ms),
        turned(state.day, now_ms, day_at),
        turned(state.spend_day, now_ms, day_at),
        turned(state.spend_month, now_ms, month_at),
        state.running,
    )


def _ran(running: tuple[Running, ...], owner: str, requests: int, nano: Nano) -> tuple[Running, ...]:
    """Change what ``owner`` runs; who runs nothing is not there, and what was forgotten stays so."""
    mine = next((each for each in running if each.owner == owner), Running(owner))
    others = tuple(each for each in running if each.owner != owner)
    if mine.requests + requests <= 0:
        return others
    return (*others, Running(owner, mine.requests + requests, max(mine.reserved_nano + nano, 0)))


def _refusals(state: State, limits: Limits, ask: Ask) -> tuple[Refusal, ...]:
    window = state.window
    found: list[Refusal] = []
    _over_rate(found, "rpm", limits, window.requests, 1, state)
    _over_rate(found, "tpm", limits, window.tokens, ask.tokens, state)
    _over_period(found, "rpd", limits, state.day, 1, 0, state)
    if limits.concurrent is not None:
        running = sum(each.requests for each in state.running)
        if running >= limits.concurrent:
            clears = state.latest_ms + RETRY_MS if limits.concurrent else None
            found.append(_refusal("concurrent", limits, limits.concurrent, clears))
    reserved = sum(each.reserved_nano for each in state.running)
    _over_period(found, "spend_day", limits, state.spend_day, ask.spend_nano, reserved, state)
    _over_period(found, "spend_month", limits, state.spend_month, ask.spend_nano, reserved, state)
    return tuple(found)


def _over_rate(
    found: list[Refusal], name: LimitName, limits: Limits, counts: tuple[int, ...], wanted: int, state: State
) -> None:
    limit: int | None = getattr(limits, name)
    if limit is None or not wanted:
        return
    excess = sum(counts) + wanted - limit
    if excess > 0:
        clears = None if wanted > limit else clears_at_ms(state.window.buckets, counts, excess)
        found.append(_refusal(name, limits, limit, clears))


def _over_period(
    found: list[Refusal],
    name: LimitName,
    limits: Limits,
    tally: Tally,
    wanted: int,
    reserved: int,
    state: State,
) -> None:
    limit: int | None = getattr(limits, name)
    if limit is None or not wanted or tally.used + reserved + wanted <= limit:
        return
    clears: int | None = tally.end_ms
    if wanted > limit:
        clears = None
    elif tally.used + wanted <= limit:  # what is reserved is in the way, and may be settled any moment
        clears = state.latest_ms + RETRY_MS
    found.append(_refusal(name, limits, limit, clears))


def _refusal(name: LimitName, limits: Limits, value: int, clears: int | None) -> Refusal:
    google = (FREE_NAMES if limits.free else PAID_NAMES)[name]
    return Refusal(
        limit=name, quota_id=google.quota_id, metric=google.metric, value=value, clears_at_ms=clears
    )


_ENCODER = msgspec.msgpack.Encoder()
_DECODER = msgspec.msgpack.Decoder(State)


def encode(state: State) -> bytes:
    """Return the bytes that a row holds; the same state is always the same bytes."""
    return _ENCODER.encode(state)


def decode(data: bytes) -> State:
    """Return the state that :func:`encode` wrote. Raises ``msgspec.DecodeError`` for anything else."""
    return _DECODER.decode(data)
