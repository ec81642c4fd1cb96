"""Messages about usage: receipts, sums, timelines, statements."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from geminid.core.price import ModalityClass, PriceTier
from geminid.wire.admin.fields import Dollars, Time
from geminid.wire.admin.message import Message

Item = Literal["prompt", "cached", "candidates", "thoughts", "storage"]
PhaseName = Literal["read", "accept", "admit", "queue", "prefill", "decode", "settle"]
UsageVerb = Literal["generate", "embed", "cache", "storage", "transcribe"]
EntryKind = Literal["top_up", "grant", "refund", "adjust", "hold", "post", "void", "expire"]


class Tokens(Message, frozen=True):
    """Counts of tokens, as ``usageMetadata`` tells them. ``cached`` is a part of ``prompt``."""

    prompt: int
    cached: int
    candidates: int
    thoughts: int
    prompt_by_modality: Annotated[dict[str, int], Meta(description="What is zero is left out.")]
    cached_by_modality: Annotated[dict[str, int], Meta(description="Likewise.")]


class CostLine(Message, frozen=True):
    """One line of a bill: quantity times price, rounded up."""

    item: Item
    modality: ModalityClass
    quantity: Annotated[int, Meta(description="Tokens; of storage, token-seconds.")]
    per_million: Dollars
    cost: Dollars


class Phase(Message, frozen=True):
    """A stretch of a request, in milliseconds since it came."""

    name: Annotated[
        PhaseName,
        Meta(
            description="`read`: media; `accept`: until the engine has the request; `admit`: limits and "
            "credits; `queue`: waiting in the engine; `prefill`: until the first token; `decode`: writing; "
            "`settle`: charging."
        ),
    ]
    start_ms: int
    took_ms: int


class Receipt(Message, frozen=True):
    """One request: what it was, what it used, what it cost."""

    receipt: str
    project: str
    request: Annotated[str, Meta(description="What it was charged as; tries of one request share it.")]
    key_id: str
    key_name: str
    labels: dict[str, str]
    model: str
    asked: Annotated[str, Meta(description="The model's name as it was asked for.")]
    tier: PriceTier
    outcome: Annotated[str, Meta(description="`finished`, `cancelled`, `empty`, or the code of a problem.")]
    tokens: Tokens
    lines: tuple[CostLine, ...]
    cost: Annotated[Dollars | None, Meta(description="What is paid for it; null without a price.")]
    bound: Annotated[Dollars | None, Meta(description="What it could have cost at most.")]
    unpaid: Annotated[Dollars, Meta(description="What its bill exceeded that by, which nobody pays.")]
    entry: Annotated[int | None, Meta(description="The entry of the ledger that charged it.")]
    create_time: Time
    settle_time: Annotated[Time, Meta(description="When it was charged: the time it is booked under.")]
    took_ms: int
    phases: tuple[Phase, ...]
    verb: Annotated[
        UsageVerb,
        Meta(
            description="`generate`: an answer; `embed`: vectors; `cache`: the making of cached contents; "
            "`storage`: keeping them until they ended, which is no request; `transcribe`: sound written down."
        ),
    ]
    cache: Annotated[str, Meta(description="The cached contents that it made, used or kept; else empty.")]
    saved: Annotated[Dollars, Meta(description="By how much more its cached tokens would have cost fresh.")]


class ReceiptPage(Message, frozen=True):
    """Receipts, the first settled first: whoever reads on from the last one misses nothing."""

    receipts: tuple[Receipt, ...]
    next_page_token: str = ""


class UsageTotal(Message, frozen=True):
    """Some requests together."""

    requests: int
    unpriced: Annotated[int, Meta(description="Those of them that have no price.")]
    tokens: Tokens
    cost: Dollars
    credits: Annotated[Dollars, Meta(description="The part of the cost that credits paid.")]
    unpaid: Dollars
    saved: Annotated[Dollars, Meta(description="By how much more cached tokens would have cost fresh.")]


class UsageSum(Message, frozen=True):
    """One sum."""

    by: Annotated[dict[str, str], Meta(description="What it is the sum of: its day, model, key …")]
    total: UsageTotal


class UsageSummary(Message, frozen=True):
    """Sums, and all of them together."""

    sums: tuple[UsageSum, ...]
    total: UsageTotal
    from_time: Time
    until_time: Time
    kept_from_time: Annotated[
        Time | None,
        Meta(description="Older requests are summed up by the hour; their labels are `?`. Null: none are."),
    ]


class Timeline(Message, frozen=True):
    """One of the last requests of this process, phase by phase."""

    receipt: str
    project: str
    key_name: str
    model: str
    asked: str
    tier: str
    outcome: str
    refused_by: Annotated[tuple[str, ...], Meta(description="Limits by Google's names, or `credits`.")]
    create_time: Time
    took_ms: int
    tokens: Tokens
    cost: Dollars | None
    phases: tuple[Phase, ...]


class TimelinePage(Message, frozen=True):
    """Timelines, the latest first."""

    timelines: tuple[Timeline, ...]
    next_page_token: str = ""


class StatementEntries(Message, frozen=True):
    """Entries of one kind in a month, and what they changed of the credits."""

    kind: EntryKind
    entries: int
    amount: Dollars


class StatementLine(Message, frozen=True):
    """Lines of bills with one price together; the cost is a sum of lines that were rounded one by one."""

    model: str
    tier: str
    item: Item
    modality: ModalityClass
    quantity: int
    per_million: Dollars
    cost: Dollars


class StatementModel(Message, frozen=True):
    """One model in one tier."""

    model: str
    tier: str
    total: UsageTotal


class Check(Message, frozen=True):
    """One thing that was proved, or was not."""

    name: Literal["ledger", "charges", "receipts", "lines"]
    sound: bool
    what: str


class Statement(Message, frozen=True):
    """One Pacific month of one project, and the proof that ledger and usage agree on it."""

    project: str
    title: str
    month: str
    from_time: Time
    until_time: Time
    create_time: Time
    closed: Annotated[bool, Meta(description="The month is over.")]
    opening: Annotated[Dollars, Meta(description="Credits at its beginning.")]
    entries: tuple[StatementEntries, ...]
    closing: Annotated[Dollars, Meta(description="Credits at its end.")]
    seq: Annotated[int, Meta(description="The number of the last entry.")]
    head: Annotated[
        str, Meta(description="Its seal, hexadecimal: keep it, to prove later that nothing was changed.")
    ]
    models: tuple[StatementModel, ...]
    lines: tuple[StatementLine, ...]
    used: Annotated[Dollars, Meta(description="What all requests cost.")]
    due: Annotated[Dollars, Meta(description="The part of it that no credits paid.")]
    unpaid: Annotated[Dollars, Meta(description="What bills exceeded their bounds by; nobody pays it.")]
    sound: bool
    checks: tuple[Check, ...]
