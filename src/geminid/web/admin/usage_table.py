"""Usage as a table for files: which columns, and the cells of each request.

The columns are a promise to whoever reads the files: one may be added at the end, none is renamed or removed.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

from geminid.core.content import Modality
from geminid.core.money import decimal_dollars
from geminid.service.recorder import kept_phases
from geminid.service.usage import UsageRow
from geminid.wire.tables import Column

MEDIA: tuple[Modality, ...] = ("image", "video", "audio", "document")
COLUMNS = (
    Column("receipt"),
    Column("project"),
    Column("request"),
    Column("key_id"),
    Column("key_name"),
    Column("labels", "json"),
    Column("model"),
    Column("asked"),
    Column("tier"),
    Column("outcome"),
    Column("create_time", "time"),
    Column("settle_time", "time"),
    Column("prompt_tokens", "integer"),
    Column("cached_tokens", "integer"),
    Column("candidates_tokens", "integer"),
    Column("thoughts_tokens", "integer"),
    Column("text_tokens", "integer"),
    Column("image_tokens", "integer"),
    Column("video_tokens", "integer"),
    Column("audio_tokens", "integer"),
    Column("document_tokens", "integer"),
    Column("cost", "dollars"),
    Column("bound", "dollars"),
    Column("unpaid", "dollars"),
    Column("lines", "json"),
    Column("entry", "integer"),
    Column("took_ms", "integer"),
    Column("phases_ms", "json"),
    Column("verb"),
    Column("cache"),
    Column("cached_image_tokens", "integer"),
    Column("cached_video_tokens", "integer"),
    Column("cached_audio_tokens", "integer"),
    Column("cached_document_tokens", "integer"),
    Column("saved", "dollars"),
)


def cells(row: UsageRow) -> tuple[Any, ...]:
    """Return a request's cells, in the order of :data:`COLUMNS`."""
    usage = row.usage
    by_modality = usage.by_modality()
    return (
        row.id,
        row.project,
        row.request,
        row.key_id,
        row.key_name,
        dict(row.labels),
        row.model,
        row.asked,
        row.tier,
        row.outcome,
        row.created_ms,
        row.settled_ms,
        usage.prompt,
        usage.cached,
        usage.candidates,
        usage.thoughts,
        by_modality.get("text", 0),
        by_modality.get("image", 0),
        by_modality.get("video", 0),
        by_modality.get("audio", 0),
        by_modality.get("document", 0),
        row.cost_nano,
        row.bound_nano,
        row.unpaid_nano,
        [
            {
                "item": line.item,
                "modality": line.modality,
                "quantity": line.quantity,
                "per_million": decimal_dollars(line.nano_per_million),
                "cost": decimal_dollars(line.cost_nano),
            }
            for line in row.lines
        ],
        row.entry,
        row.took_ms,
        {phase.name: phase.took_ms for phase in kept_phases(row)},
        row.verb,
        row.cache,
        *(usage.cached_media.get(kind, 0) for kind in MEDIA),
        row.saved_nano,
    )


def each_now(
    pages: AsyncIterator[tuple[UsageRow, ...]], loop: asyncio.AbstractEventLoop
) -> Iterator[UsageRow]:
    """Yield, in a thread that may wait, the rows of pages that come on an event loop."""

    async def following() -> tuple[UsageRow, ...] | None:
        return await anext(pages, None)

    while (page := asyncio.run_coroutine_threadsafe(following(), loop).result()) is not None:
        yield from page
