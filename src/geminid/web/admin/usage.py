"""Handlers of usage, timelines, statements and of the ledger's entries."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

from geminid.core.content import Modality
from geminid.core.errors import FieldViolation, InvalidArgument
from geminid.core.money import Nano
from geminid.core.usage import Usage
from geminid.service.acting import TIME_MS_MAX
from geminid.service.administration import Administration
from geminid.service.credits import Report
from geminid.service.recorder import Phase, Timeline, kept_phases
from geminid.service.statements import Statement
from geminid.service.usage import Total, UsageRow, UsageSum
from geminid.web.admin.call import Call, Handler
from geminid.web.admin.credit import entry_of
from geminid.wire.admin import credits as credit
from geminid.wire.admin import usage as wire
from geminid.wire.admin.fields import dollars_of, maybe_time, ms_of, time_of

SPELLED = {"key_id": "keyId", "key_name": "keyName"}
MEDIA: tuple[Modality, ...] = ("image", "video", "audio", "document")


async def _receipts(acts: Administration, call: Call) -> wire.ReceiptPage:
    from_ms, until_ms = span_of(call.query)
    page = await acts.usage.page(
        call.path["project"], call.size, call.after, from_ms, TIME_MS_MAX if until_ms is None else until_ms
    )
    return wire.ReceiptPage(receipts=tuple(map(receipt_of, page.items)), next_page_token=page.next)


async def _receipt(acts: Administration, call: Call) -> wire.Receipt:
    return receipt_of(await acts.usage.get(call.path["project"], call.path["receipt"]))


async def _sums(acts: Administration, call: Call) -> wire.UsageSummary:
    from_ms, until_ms = span_of(call.query)
    by = tuple(name.strip() for name in call.query.get("by", "").split(",") if name.strip())
    project, zone = call.query.get("project", ""), call.query.get("zone", "")
    found = await acts.usage.summary(project, from_ms, until_ms, by, zone)
    return wire.UsageSummary(
        sums=tuple(map(_sum, found.sums)),
        total=total_of(found.total),
        from_time=time_of(found.from_ms),
        until_time=time_of(found.until_ms),
        kept_from_time=maybe_time(found.kept_from_ms or None),
    )


async def _timelines(acts: Administration, call: Call) -> wire.TimelinePage:
    page = acts.recorder.page(call.size, call.after, call.query.get("project", ""))
    return wire.TimelinePage(timelines=tuple(map(timeline_of, page.items)), next_page_token=page.next)


async def _timeline(acts: Administration, call: Call) -> wire.Timeline:
    return timeline_of(acts.recorder.get(call.path["receipt"]))


async def _statement(acts: Administration, call: Call) -> wire.Statement:
    return statement_of(await acts.statements.statement(call.path["project"], call.path["month"]))


async def _entries(acts: Administration, call: Call) -> credit.EntryPage:
    page = await acts.credits.page(call.path["project"], call.size, call.after)
    return credit.EntryPage(entries=tuple(map(entry_of, page.items)), next_page_token=page.next)


async def _proof(acts: Administration, call: Call) -> credit.Proof:
    return proof_of(await acts.credits.verify(call.query.get("project", "")))


HANDLERS: dict[str, Handler] = {
    "usage.sum": _sums,
    "usage.list": _receipts,
    "usage.get": _receipt,
    "timelines.list": _timelines,
    "timelines.get": _timeline,
    "statements.get": _statement,
    "ledger.list": _entries,
    "ledger.verify": _proof,
}


def receipt_of(row: UsageRow) -> wire.Receipt:
    """Return a row of usage as it is told."""
    return wire.Receipt(
        receipt=row.id,
        project=row.project,
        request=row.request,
        key_id=row.key_id,
        key_name=row.key_name,
        labels=dict(row.labels),
        model=row.model,
        asked=row.asked,
        tier=row.tier,  # type: ignore[arg-type]
        outcome=row.outcome,
        tokens=_tokens(row.usage),
        lines=tuple(
            wire.CostLine(
                item=line.item,
                modality=line.modality,
                quantity=line.quantity,
                per_million=dollars_of(line.nano_per_million),
                cost=dollars_of(line.cost_nano),
            )
            for line in row.lines
        ),
        cost=_maybe(row.cost_nano),
        bound=_maybe(row.bound_nano),
        unpaid=dollars_of(row.unpaid_nano),
        entry=row.entry,
        create_time=time_of(row.created_ms),
        settle_time=time_of(row.settled_ms),
        took_ms=row.took_ms,
        phases=_phases(kept_phases(row)),
        verb=row.verb,
        cache=row.cache,
        saved=dollars_of(row.saved_nano),
    )


def total_of(total: Total) -> wire.UsageTotal:
    """Return a sum as it is told."""
    tokens = total.tokens
    usage = Usage(
        prompt=tokens.get("prompt", 0),
        cached=tokens.get("cached", 0),
        candidates=tokens.get("candidates", 0),
        thoughts=tokens.get("thoughts", 0),
        media={kind: tokens[kind] for kind in MEDIA if tokens.get(kind)},
        cached_media={kind: n for kind in MEDIA if (n := tokens.get(f"cached_{kind}", 0))},
    )
    return wire.UsageTotal(
        requests=total.requests,
        unpriced=total.unpriced,
        tokens=_tokens(usage),
        cost=dollars_of(total.cost_nano),
        credits=dollars_of(total.credits_nano),
        unpaid=dollars_of(total.unpaid_nano),
        saved=dollars_of(total.saved_nano),
    )


def timeline_of(timeline: Timeline) -> wire.Timeline:
    """Return a timeline as it is told."""
    return wire.Timeline(
        receipt=timeline.id,
        project=timeline.project,
        key_name=timeline.key_name,
        model=timeline.model,
        asked=timeline.asked,
        tier=timeline.tier,
        outcome=timeline.outcome,
        refused_by=timeline.refused_by,
        create_time=time_of(timeline.created_ms),
        took_ms=timeline.took_ms,
        tokens=_tokens(timeline.usage),
        cost=_maybe(timeline.cost_nano),
        phases=_phases(timeline.phases),
    )


def statement_of(statement: Statement) -> wire.Statement:
    """Return a statement as it is told."""
    return wire.Statement(
        project=statement.project,
        title=statement.title,
        month=statement.month,
        from_time=time_of(statement.from_ms),
        until_time=time_of(statement.until_ms),
        create_time=time_of(statement.made_ms),
        closed=statement.closed,
        opening=dollars_of(statement.opening_nano),
        entries=tuple(
            wire.StatementEntries(kind=each.kind, entries=each.entries, amount=dollars_of(each.amount_nano))
            for each in statement.entries
        ),
        closing=dollars_of(statement.closing_nano),
        seq=statement.seq,
        head=statement.head.hex(),
        models=tuple(
            wire.StatementModel(model=each.model, tier=each.tier, total=total_of(each.total))
            for each in statement.models
        ),
        lines=tuple(
            wire.StatementLine(
                model=line.model,
                tier=line.tier,
                item=line.item,
                modality=line.modality,
                quantity=line.quantity,
                per_million=dollars_of(line.nano_per_million),
                cost=dollars_of(line.cost_nano),
            )
            for line in statement.lines
        ),
        used=dollars_of(statement.used_nano),
        due=dollars_of(statement.due_nano),
        unpaid=dollars_of(statement.unpaid_nano),
        sound=statement.sound,
        checks=tuple(
            wire.Check(name=check.name, sound=check.sound, what=check.what)  # type: ignore[arg-type]
            for check in statement.checks
        ),
    )


def proof_of(report: Report) -> credit.Proof:
    """Return what was proved as it is told."""
    wrong = report.misfit
    return credit.Proof(
        sound=report.sound,
        transfers=report.transfers,
        projects=report.projects,
        open_holds=report.open_holds,
        posted=dollars_of(report.posted_nano),
        held=dollars_of(report.held_nano),
        house=dollars_of(report.house_nano),
        misfit=""
        if wrong is None
        else f"project {wrong.project}, entry {wrong.seq} {wrong.id}: {wrong.what}",
    )


def _sum(each: UsageSum) -> wire.UsageSum:
    by = {SPELLED.get(name, name): value for name, value in each.by.items()}
    return wire.UsageSum(by=by, total=total_of(each.total))


def _tokens(usage: Usage) -> wire.Tokens:
    return wire.Tokens(
        prompt=usage.prompt,
        cached=usage.cached,
        candidates=usage.candidates,
        thoughts=usage.thoughts,
        prompt_by_modality={str(kind): tokens for kind, tokens in usage.by_modality().items()},
        cached_by_modality={str(kind): tokens for kind, tokens in usage.cached_by_modality().items()},
    )


def _phases(phases: Iterable[Phase]) -> tuple[wire.Phase, ...]:
    return tuple(
        wire.Phase(name=phase.name, start_ms=phase.start_ms, took_ms=phase.took_ms) for phase in phases
    )


def _maybe(nano: Nano | None) -> str | None:
    return None if nano is None else dollars_of(nano)


def span_of(query: Mapping[str, str]) -> tuple[int, int | None]:
    """Return from when until when; without an end, None."""
    return _ms(query, "from") or 0, _ms(query, "until")


def _ms(query: Mapping[str, str], name: str) -> int | None:
    if not (text := query.get(name, "")):
        return None
    try:
        time = datetime.fromisoformat(text)
    except ValueError as error:
        words = "must be a date or a time such as 2026-11-25T12:00:00Z"
        raise InvalidArgument(f"{name} {words}.", violations=(FieldViolation(words, name),)) from error
    return ms_of(time if time.tzinfo else time.replace(tzinfo=UTC))
