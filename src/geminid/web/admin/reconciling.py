"""Reconciliation of one month, for the command line."""

from __future__ import annotations

from collections.abc import Iterable

from geminid.core.errors import InvalidArgument
from geminid.service.administration import Administration
from geminid.service.reconcile import Mapped, Reconciliation
from geminid.service.spans import month_of, zone_of

__all__ = ["Mapped", "reconciled"]


async def reconciled(
    acts: Administration,
    lines: Iterable[str],
    mapped: Mapped,
    *,
    month: str,
    zone: str,
    project: str,
    tolerance_ppm: int,
) -> Reconciliation:
    """Compare an invoice with one month of the zone.

    Raises InvalidArgument and NotFound, also for a file that is no text.
    """
    place = zone_of(zone)
    span = month_of(month, place)
    try:
        return await acts.reconciler.reconcile(
            lines,
            mapped,
            span.from_ms,
            span.until_ms,
            zone=place,
            project=project,
            tolerance_ppm=tolerance_ppm,
        )
    except UnicodeDecodeError as error:
        raise InvalidArgument("The invoice is not text in UTF-8.") from error
