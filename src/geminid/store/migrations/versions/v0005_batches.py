"""Batches; files that were made here; messages whose address a caller gave."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Make the table of jobs, and the columns that their files and messages need."""
    op.add_column("files", sa.Column("source", sa.String(16), nullable=False, server_default="uploaded"))
    op.add_column("outbox", sa.Column("guarded", sa.BigInteger, nullable=False, server_default="0"))
    op.create_table(
        "batches",
        sa.Column("project", sa.String(64), primary_key=True),
        sa.Column("id", sa.String(40), primary_key=True),
        sa.Column("model", sa.String(256), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("display_name", sa.String(512), nullable=False),
        sa.Column("priority", sa.BigInteger, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("file_id", sa.String(40), nullable=False),
        sa.Column("lines", sa.BigInteger, nullable=False),
        sa.Column("succeeded", sa.BigInteger, nullable=False),
        sa.Column("failed", sa.BigInteger, nullable=False),
        sa.Column("tokens", sa.BigInteger, nullable=False),
        sa.Column("created_ms", sa.BigInteger, nullable=False),
        sa.Column("updated_ms", sa.BigInteger, nullable=False),
        sa.Column("ended_ms", sa.BigInteger),
        sa.Column("deadline_ms", sa.BigInteger, nullable=False),
        sa.Column("output_id", sa.String(40), nullable=False),
        sa.Column("output", sa.BigInteger, nullable=False),
        sa.Column("fault_code", sa.String(32), nullable=False),
        sa.Column("fault", sa.Text, nullable=False),
        sa.Column("note", sa.Text, nullable=False),
        sa.Column("webhook", sa.Text, nullable=False),
        sa.Column("key_id", sa.String(40), nullable=False),
        sa.Column("key_name", sa.String(128), nullable=False),
        sa.Column("blob", sa.String(40), nullable=False),
        sa.Column("owner", sa.String(64), nullable=False),
        sa.Column("closed", sa.BigInteger, nullable=False),
        sa.Column("deleted_ms", sa.BigInteger),
    )
    op.create_index("batches_by_creation", "batches", ["project", "created_ms", "id"])
    op.create_index("batches_by_closing", "batches", ["closed", "ended_ms"])
