"""Usage ⇄ rows: what each request was, what it used and what it cost. One row a request.

Rows are added by :mod:`geminid.store.hot`; sums over them are :mod:`geminid.store.usage_sums`'. Invariant: a
row is never changed; it is removed when it is older than the caller wants to keep.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Literal

import msgspec
from sqlalchemy import Connection, Row, Table, and_, delete, func, or_, select

from geminid.billing.rating import CostLine
from geminid.core.content import Modality
from geminid.core.money import Nano
from geminid.core.usage import Usage
from geminid.store.tables import usage

MODALITIES: tuple[Modality, ...] = ("text", "image", "video", "audio", "document")


UsageVerb = Literal["generate", "embed", "cache", "storage", "transcribe"]
"""What a row is of: an answer, vectors, the making of cached contents, keeping them, sound written down. To
keep them is no request of anybody's: that row is written when they end."""


class UsageRow(msgspec.Struct, frozen=True, kw_only=True):
    """One request.

    id: the receipt's. request: what it was charged as; several tries of one request share it.
    key_id, key_name: empty without a kept key. asked: the model's name as it was asked for.
    lines: the bill by list of prices. cost_nano: what the project pays for it, 0 where it failed; None
    where the model has no price. bound_nano: what it could have cost at most, as told before.
    unpaid_nano: by how much the bill exceeded the bound, which nobody pays.
    outcome: ``finished``, ``cancelled`` (the caller left), ``empty``, or the code of a problem.
    created_ms: when it came. Milliseconds from then on until its media were read, the engine had accepted
    it, the meter had admitted it, the engine began with it, there was something to read; None where it
    did not come to that, or where nobody tells. took_ms: until its end.
    settled_ms: when this was written, which is the time it is booked under. entry: the number of the entry
    of the ledger that charged it; None when no credits paid for it.
    verb: what it was. cache: the cached contents that it made, used, or kept. saved_nano: by how much more
    its cached tokens would have cost as fresh ones.
    """

    id: str
    project: str
    request: str
    key_id: str = ""
    key_name: str = ""
    labels: Mapping[str, str] = {}
    model: str
    asked: str
    tier: str
    usage: Usage
    lines: tuple[CostLine, ...] = ()
    cost_nano: Nano | None = None
    bound_nano: Nano | None = None
    unpaid_nano: Nano = 0
    outcome: str
    created_ms: int
    read_ms: int | None = None
    accepted_ms: int | None = None
    admitted_ms: int | None = None
    begun_ms: int | None = None
    first_token_ms: int | None = None
    took_ms: int = 0
    settled_ms: int = 0
    entry: int | None = None
    verb: UsageVerb = "generate"
    cache: str = ""
    saved_nano: Nano = 0


_ENCODER = msgspec.json.Encoder()
_LABELS = msgspec.json.Decoder(dict[str, str])
_LINES = msgspec.json.Decoder(tuple[CostLine, ...])


def columns(row: UsageRow) -> tuple[Any, ...]:
    """Return a row's values in the order of the table's columns."""
    tokens = row.usage
    media = tokens.media
    text = tokens.prompt - sum(media.values()) if media else tokens.prompt
    return (
        row.id,
        row.project,
        row.request,
        row.key_id,
        row.key_name,
        _ENCODER.encode(row.labels).decode() if row.labels else "{}",
        row.model,
        row.asked,
        row.tier,
        tokens.prompt,
        tokens.cached,
        tokens.candidates,
        tokens.thoughts,
        text,
        media.get("image", 0),
        media.get("video", 0),
        media.get("audio", 0),
        media.get("document", 0),
        _ENCODER.encode(row.lines).decode() if row.lines else "[]",
        row.cost_nano,
        row.bound_nano,
        row.unpaid_nano,
        row.outcome,
        row.created_ms,
        row.read_ms,
        row.accepted_ms,
        row.admitted_ms,
        row.begun_ms,
        row.first_token_ms,
        row.took_ms,
        row.settled_ms,
        row.entry,
        row.verb,
        row.cache,
        *(tokens.cached_media.get(kind, 0) for kind in MODALITIES[1:]),
        row.saved_nano,
    )


def find(connection: Connection, project: str, receipt: str) -> UsageRow | None:
    """Return one request of a project."""
    row = connection.execute(select(usage).where(usage.c.id == receipt, usage.c.project == project)).first()
    return _row(row) if row is not None else None


def find_anywhere(connection: Connection, receipt: str) -> UsageRow | None:
    """Return one request of whichever project."""
    row = connection.execute(select(usage).where(usage.c.id == receipt)).first()
    return _row(row) if row is not None else None


def page(
    connection: Connection,
    project: str,
    from_ms: int,
    until_ms: int,
    after: tuple[int, str] | None,
    count: int,
) -> tuple[UsageRow, ...]:
    """Return ``count`` requests at most that were settled in a span of time, the first settled first, after
    (settled_ms, id): what is settled later comes later, so whoever reads on misses nothing."""
    wanted = select(usage).where(
        usage.c.project == project, usage.c.settled_ms >= from_ms, usage.c.settled_ms < until_ms
    )
    if after is not None:
        same = and_(usage.c.settled_ms == after[0], usage.c.id > after[1])
        wanted = wanted.where(usage.c.settled_ms >= after[0], or_(usage.c.settled_ms > after[0], same))
    rows = connection.execute(wanted.order_by(usage.c.settled_ms, usage.c.id).limit(count))
    return tuple(map(_row, rows))


def projects(connection: Connection, table: Table = usage) -> Iterator[str]:
    """Yield the names of all projects that have rows, in order; few steps, however many rows there are."""
    last = ""
    while True:
        found = connection.execute(select(func.min(table.c.project)).where(table.c.project > last)).scalar()
        if found is None:
            return
        yield found
        last = found


def take_before(connection: Connection, project: str, time_ms: int, count: int) -> tuple[UsageRow, ...]:
    """Remove ``count`` rows at most that were settled before ``time_ms``, and return them. Of callers that
    want the same rows at the same time, one gets them."""
    old = (
        select(usage.c.id)
        .where(usage.c.project == project, usage.c.settled_ms < time_ms)
        .order_by(usage.c.settled_ms)
        .limit(count)
    )
    taken = delete(usage).where(usage.c.id.in_(old.scalar_subquery())).returning(*usage.columns)
    return tuple(map(_row, connection.execute(taken)))


def _row(row: Row[*tuple[Any, ...]]) -> UsageRow:
    said = dict(row._mapping)
    text: dict[Modality, int] = {kind: said.pop(f"{kind}_tokens") for kind in MODALITIES}
    tokens = {kind: said.pop(f"{kind}_tokens") for kind in ("prompt", "cached", "candidates", "thoughts")}
    cached: dict[Modality, int] = {kind: said.pop(f"cached_{kind}_tokens") for kind in MODALITIES[1:]}
    media: dict[Modality, int] = {kind: n for kind, n in text.items() if n and kind != "text"}
    cached_media = {kind: n for kind, n in cached.items() if n}
    return UsageRow(
        **{
            **said,
            "labels": _LABELS.decode(said["labels"]),
            "lines": _LINES.decode(said["lines"]),
            "usage": Usage(**tokens, media=media, cached_media=cached_media),
        }
    )
