"""``geminid audit``: what administrators changed."""

from __future__ import annotations

from geminid.cli.desk import Desk

COLUMNS = ("time", "actor", "action", "project", "subject", "details")


def audit(desk: Desk) -> None:
    """Write all changes to stdout, the newest first."""
    desk.show(desk.pages("audit.list", "changes"), COLUMNS)
