"""Handlers of cached contents."""

from __future__ import annotations

from geminid.service.administration import Administration
from geminid.service.cache_book import CacheReport
from geminid.web.admin.call import Call, Handler
from geminid.wire.admin import caches as wire
from geminid.wire.admin.fields import dollars_of, time_of

NS_PER_MS = 1_000_000


async def _list(acts: Administration, call: Call) -> wire.CachePage:
    page = await acts.caches.page(call.size, call.after, call.query.get("project", ""))
    return wire.CachePage(caches=tuple(map(cache_of, page.items)), next_page_token=page.next)


async def _get(acts: Administration, call: Call) -> wire.Cache:
    return cache_of(await acts.caches.get(call.path["cache"]))


async def _delete(acts: Administration, call: Call) -> None:
    await acts.caches.end(call.actor, call.path["cache"])


HANDLERS: dict[str, Handler] = {"caches.list": _list, "caches.get": _get, "caches.delete": _delete}


def cache_of(report: CacheReport) -> wire.Cache:
    """Return cached contents as they are told."""
    row, use = report.row, report.use
    return wire.Cache(
        id=row.id,
        project=row.project,
        model=row.model,
        asked=row.asked,
        display_name=row.display_name,
        tokens=row.usage.prompt,
        tokens_by_modality={str(kind): tokens for kind, tokens in row.usage.by_modality().items()},
        create_time=time_of(row.created_ns // NS_PER_MS),
        update_time=time_of(row.updated_ns // NS_PER_MS),
        expire_time=time_of(row.expires_ns // NS_PER_MS),
        hits=use.hits,
        cached_tokens=use.tokens,
        saved=dollars_of(use.saved_nano),
        per_million_hours=None if row.nano_per_million is None else dollars_of(row.nano_per_million),
        storage=None if report.storage_nano is None else dollars_of(report.storage_nano),
    )
