"""What files are for, and how long they shall live; batches in more than one format."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"

_TOKENS = ("prompt_tokens", "cached_tokens", "candidates_tokens", "thoughts_tokens")
_TIMES = ("started_ms", "finalizing_ms", "settled_ms")


def upgrade() -> None:
    """Add the columns; what was there before has the first format, and says nothing of the rest."""
    for table in ("files", "uploads"):
        op.add_column(table, sa.Column("purpose", sa.String(32), nullable=False, server_default=""))
    op.add_column("uploads", sa.Column("ttl_s", sa.BigInteger))
    for name, size in (("format", 64), ("error_id", 40)):
        op.add_column("batches", sa.Column(name, sa.String(size), nullable=False, server_default=""))
    for name in ("metadata", "faults"):
        op.add_column("batches", sa.Column(name, sa.Text, nullable=False, server_default=""))
    for name in _TOKENS:
        op.add_column("batches", sa.Column(name, sa.BigInteger, nullable=False, server_default="0"))
    for name in (*_TIMES, "output_ttl_ms"):
        op.add_column("batches", sa.Column(name, sa.BigInteger))
