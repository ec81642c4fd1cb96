"""Sends the messages that wait, and tries again, later and later, what could not be sent.

It knows no meaning of them. Invariant: a message is removed when it was taken (any 2xx) or given up, and is
sent at least once before; the same id means the same message.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from functools import partial

from geminid.fetch.faults import Unfetchable
from geminid.service.hooks import HookSigner
from geminid.service.meter import wall_ms
from geminid.store import outbox as rows
from geminid.store.database import Database
from geminid.store.outbox import Message

AT_ONCE = 20
SEND_MS_MAX = 10_000
PAUSES_MS = (10_000, 60_000, 300_000, 1_800_000, 7_200_000, 21_600_000, 86_400_000)
"""After each attempt; after the last one a message is given up: within some 33 hours."""
HEADERS = ((b"Content-Type", b"application/json"),)

Post = Callable[[str, bytes, Sequence[tuple[bytes, bytes]], int], Awaitable[int]]
"""(address, body, headers, longest time in ms) → status."""

log = logging.getLogger("geminid.outbox")


class Outbox:
    """Sends what is due. ``post`` does the sending, ``signer`` proves where it comes from.

    guarded: sends what goes to addresses that callers gave, and refuses those that are not public.
    """

    def __init__(
        self,
        database: Database,
        post: Post,
        signer: HookSigner,
        now_ms: Callable[[], int] = wall_ms,
        guarded: Post | None = None,
    ) -> None:
        self._database = database
        self._post = post
        self._guarded = guarded
        self._signer = signer
        self._now_ms = now_ms

    async def send(self) -> int:
        """Send what is due, all at once; return how many messages were taken."""
        now_ms = self._now_ms()
        take = partial(rows.take, now_ms=now_ms, until_ms=now_ms + 2 * SEND_MS_MAX, count=AT_ONCE)
        due = await self._database.write(take)
        return sum(await asyncio.gather(*map(self._send, due)))

    async def _send(self, message: Message) -> bool:
        fault = await self._fault(message)
        if not fault:
            await self._database.write(partial(rows.remove, message_id=message.id))
            return True
        if message.attempts >= len(PAUSES_MS):
            log.error("message %s is given up: %s", message.id, fault)
            await self._database.write(partial(rows.remove, message_id=message.id))
            return False
        log.warning("message %s is sent again later: %s", message.id, fault)
        due_ms = self._now_ms() + PAUSES_MS[message.attempts]
        put_off = partial(rows.put_off, message_id=message.id, due_ms=due_ms, fault=fault)
        await self._database.write(put_off)
        return False

    async def _fault(self, message: Message) -> str:
        try:
            headers = (*HEADERS, *self._signer.headers(message, self._now_ms()))
            post = self._guarded if message.guarded else self._post
            if post is None:
                return "addresses of callers are not sent to here"
            status = await post(message.url, message.body.encode(), headers, SEND_MS_MAX)
        except Unfetchable as error:
            return error.reason
        return "" if 200 <= status < 300 else f"it was answered with status {status}"
