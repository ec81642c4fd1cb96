"""What it costs to keep cached contents: by the second, at the price of the day on which they were made.

It knows no ledger and no clock. Invariant: the same seconds cost the same, however often their end was moved.
"""

from __future__ import annotations

from geminid.billing.rating import Cost, storage_cost_at
from geminid.core.money import Nano
from geminid.core.usage import Usage
from geminid.store.caches import CacheRow
from geminid.store.usage import UsageRow

NS = 1_000_000_000
NS_PER_MS = 1_000_000


def subject_of(row: CacheRow) -> str:
    """Return what the open hold of cached contents is about; empty where nothing is held."""
    return f"storage:{row.id}/{row.holds}" if row.holds else ""


def receipt_of(row: CacheRow) -> str:
    """Return the receipt of the bill for keeping cached contents."""
    return f"storage-{row.id}"


def storage_of(row: CacheRow, end_ns: int) -> Cost | None:
    """Return what it costs to keep them from their making until then; a second that has begun counts.

    None without a price.
    """
    if row.nano_per_million is None:
        return None
    seconds = -(-max(end_ns - row.created_ns, 0) // NS)
    return storage_cost_at(row.usage.prompt, seconds, row.nano_per_million)


def whole_storage_nano(row: CacheRow) -> Nano:
    """Return what it costs to keep them until they expire; 0 without a price."""
    cost = storage_of(row, row.expires_ns)
    return cost.total_nano if cost is not None else 0


def bill_of(row: CacheRow, end_ns: int) -> UsageRow:
    """Return the bill for keeping them from their making until then, before anybody has paid."""
    cost = storage_of(row, end_ns)
    return UsageRow(
        id=receipt_of(row),
        project=row.project,
        request=subject_of(row) or receipt_of(row),
        key_id=row.key_id,
        key_name=row.key_name,
        model=row.model,
        asked=row.asked,
        tier="standard",
        usage=Usage(),
        lines=cost.lines if cost is not None else (),
        cost_nano=cost.total_nano if cost is not None else None,
        bound_nano=whole_storage_nano(row) if cost is not None else None,
        outcome="finished",
        created_ms=row.created_ns // NS_PER_MS,
        took_ms=max(end_ns - row.created_ns, 0) // NS_PER_MS,
        verb="storage",
        cache=row.id,
    )
