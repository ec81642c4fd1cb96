"""Handlers of prices, names of models, and what was changed."""

from __future__ import annotations

from geminid.core.alias import Alias
from geminid.core.price import Price
from geminid.service.administration import Administration
from geminid.service.catalogue import EnteredPrice, PriceSheet
from geminid.service.trail import Entry
from geminid.web.admin.call import Call, Handler
from geminid.wire.admin import catalogue as wire
from geminid.wire.admin.fields import dollars_of, maybe_ms, maybe_time, nano_of, time_of


async def _sheets(acts: Administration, call: Call) -> wire.PriceSheetPage:
    page = await acts.prices.sheets(call.size, call.after)
    sheets = tuple(sheet_of(sheet) for sheets in page.items for sheet in sheets)
    return wire.PriceSheetPage(sheets=sheets, next_page_token=page.next)


async def _set(acts: Administration, call: Call) -> wire.PriceEntry:
    said: wire.NewPrice = call.body
    price = Price(
        key=said.key,
        kind=said.kind,
        modality=said.modality,
        tier=said.tier,
        nano_per_million=None if said.per_million is None else nano_of(said.per_million, "perMillion"),
    )
    return price_of(await acts.prices.set(call.actor, price, maybe_ms(said.effective_time)))


async def _history(acts: Administration, call: Call) -> wire.PriceEntryPage:
    page = await acts.prices.history(call.path["key"], call.size, call.after)
    return wire.PriceEntryPage(entries=tuple(map(price_of, page.items)), next_page_token=page.next)


async def _aliases(acts: Administration, call: Call) -> wire.AliasPage:
    page = await acts.aliases.page(call.size, call.after)
    aliases = tuple(_alias(acts, each) for each in page.items)
    return wire.AliasPage(aliases=aliases, next_page_token=page.next)


async def _alias_get(acts: Administration, call: Call) -> wire.Alias:
    return _alias(acts, await acts.aliases.get(call.path["name"]))


async def _alias_put(acts: Administration, call: Call) -> wire.Alias:
    said: wire.AliasBody = call.body
    alias = Alias(
        name=call.path["name"],
        target=said.target,
        stage=said.stage,
        retires_ms=maybe_ms(said.retire_time),
    )
    return _alias(acts, await acts.aliases.put(call.actor, alias))


async def _alias_delete(acts: Administration, call: Call) -> None:
    await acts.aliases.delete(call.actor, call.path["name"])


async def _audit(acts: Administration, call: Call) -> wire.ChangePage:
    page = await acts.trail.page(call.size, call.after, call.query.get("project"))
    return wire.ChangePage(changes=tuple(map(_change, page.items)), next_page_token=page.next)


HANDLERS: dict[str, Handler] = {
    "prices.list": _sheets,
    "prices.set": _set,
    "prices.history": _history,
    "aliases.list": _aliases,
    "aliases.get": _alias_get,
    "aliases.put": _alias_put,
    "aliases.delete": _alias_delete,
    "audit.list": _audit,
}


def sheet_of(sheet: PriceSheet) -> wire.PriceSheet:
    """Return a price sheet as it is told."""
    return wire.PriceSheet(
        key=sheet.key,
        tier=sheet.tier,
        lines=tuple(
            wire.PriceLine(
                kind=kind,
                modality=modality,
                per_million=dollars_of(unit.nano_per_million),
                list_per_million=None
                if unit.list_nano_per_million is None
                else dollars_of(unit.list_nano_per_million),
                discount_percent=percent(unit.discount_permille),
            )
            for (kind, modality), unit in sheet.units.items()
        ),
        from_time=time_of(sheet.from_ms),
        until_time=maybe_time(sheet.until_ms),
    )


def price_of(entry: EnteredPrice) -> wire.PriceEntry:
    """Return a price that was set as it is told."""
    price = entry.price
    return wire.PriceEntry(
        seq=entry.seq,
        key=price.key,
        kind=price.kind,
        modality=price.modality,
        tier=price.tier,
        per_million=None if price.nano_per_million is None else dollars_of(price.nano_per_million),
        effective_time=time_of(price.effective_from_ms),
        create_time=time_of(entry.created_ms),
        author=entry.author,
    )


def percent(permille: int | None) -> str | None:
    """Return tenths of a percent as they are told: ``20.0``."""
    if permille is None:
        return None
    whole, tenth = divmod(abs(permille), 10)
    return f"{'-' if permille < 0 else ''}{whole}.{tenth}"


def _alias(acts: Administration, alias: Alias) -> wire.Alias:
    return wire.Alias(
        name=alias.name,
        target=alias.target,
        stage=alias.stage,
        retire_time=maybe_time(alias.retires_ms),
        retired=acts.aliases.retired(alias),
    )


def _change(entry: Entry) -> wire.Change:
    return wire.Change(
        seq=entry.seq,
        time=time_of(entry.time_ms),
        actor=entry.actor,
        action=entry.action,
        project=entry.project,
        subject=entry.subject,
        details=entry.details,
    )
