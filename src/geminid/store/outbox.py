"""Messages that are to be sent ⇄ rows. One is written in the transaction that gave rise to it."""

from __future__ import annotations

import msgspec
from sqlalchemy import Connection, delete, select, update
from sqlalchemy.exc import IntegrityError

from geminid.store.tables import outbox


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """A body for an address. due_ms: when it is next tried. fault: why it could not be sent, in words.

    guarded: a caller gave the address, so it is sent to public ones alone.
    """

    id: str
    project: str
    url: str
    body: str
    created_ms: int
    due_ms: int
    attempts: int = 0
    fault: str = ""
    guarded: bool = False


def add(connection: Connection, message: Message) -> None:
    """Insert a message, once for each id."""
    try:
        with connection.begin_nested():
            values = {**msgspec.structs.asdict(message), "guarded": int(message.guarded)}
            connection.execute(outbox.insert().values(**values))
    except IntegrityError:
        pass  # it waits already


def take(connection: Connection, now_ms: int, until_ms: int, count: int) -> tuple[Message, ...]:
    """Return ``count`` messages at most that are due, and let nobody else take them before ``until_ms``."""
    wanted = select(outbox).where(outbox.c.due_ms <= now_ms).order_by(outbox.c.due_ms).limit(count)
    if connection.dialect.name != "sqlite":
        wanted = wanted.with_for_update(skip_locked=True)
    rows = (dict(row._mapping) for row in connection.execute(wanted))
    found = tuple(Message(**{**row, "guarded": bool(row["guarded"])}) for row in rows)
    ids = [each.id for each in found]
    connection.execute(update(outbox).where(outbox.c.id.in_(ids)).values(due_ms=until_ms))
    return found


def put_off(connection: Connection, message_id: str, due_ms: int, fault: str) -> None:
    """Write that a message could not be sent, and when to try again."""
    values = {"due_ms": due_ms, "fault": fault, "attempts": outbox.c.attempts + 1}
    connection.execute(update(outbox).where(outbox.c.id == message_id).values(**values))


def remove(connection: Connection, message_id: str) -> None:
    """Delete a message: it was sent, or given up."""
    connection.execute(delete(outbox).where(outbox.c.id == message_id))
